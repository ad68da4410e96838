"""The request log, counted by hours: what charts and counts read in place of every record.

It is written in the transaction that stores records or deletes them, so it never differs from them: each
count is that of the records of its hour. It has never more rows than the log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Model

from retinue.server.traffic.models import CredentialHour, OrganizationHour, Request

HOUR = timedelta(hours=1)
#: What is counted of a record, in this order: who asked, when, and how it was decided.
COUNTED = ("at", "organization", "account", "credential", "allowed", "reason")
_CREDENTIALS = ("organization", "account", "hour", "credential")
_ORGANIZATIONS = ("organization", "hour", "allowed", "reason")
_ADD = """
INSERT INTO {table} AS held ({key}, {counts}) VALUES {values}
ON CONFLICT ({key}) DO UPDATE SET {sums}
"""
#: Rows of one statement: few texts of statements, which a process remembers.
_ROWS = 50
_FORGET = "DELETE FROM {table} WHERE ({key}) IN (VALUES {values}) AND {empty}"
Counts = dict[tuple[Any, ...], tuple[int, ...]]


def begin(at: datetime) -> datetime:
    """Return the beginning of the hour (UTC) of an instant."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def end(at: datetime) -> datetime:
    """Return the first beginning of an hour (UTC) that is not before an instant."""
    first = begin(at)
    return first if first == at else first + HOUR


def add(records: Iterable[tuple[Any, ...]]) -> None:
    """Count records, told by :data:`COUNTED`, that the open transaction stores."""
    credentials, organizations = _counted(records)
    _change(CredentialHour, _CREDENTIALS, ("allowed", "denied"), credentials)
    # Last: all batches of an organization meet here, and none waits longer than for a commit.
    _change(OrganizationHour, _ORGANIZATIONS, ("count",), organizations)


def take(keys: Sequence[int]) -> None:
    """Count no longer the records with these keys, which the open transaction is about to delete."""
    records = Request.objects.filter(pk__in=keys).values_list(*COUNTED)
    for (model, key, names), counts in zip(
        (
            (CredentialHour, _CREDENTIALS, ("allowed", "denied")),
            (OrganizationHour, _ORGANIZATIONS, ("count",)),
        ),
        _counted(records),
        strict=True,
    ):
        _change(model, key, names, {each: tuple(-n for n in less) for each, less in counts.items()})
        _forget(model, key, names, list(counts))


def _counted(records: Iterable[tuple[Any, ...]]) -> tuple[Counts, Counts]:
    """Return how many records there are by credential and hour (allowed, denied), and by organization."""
    allowed: Counter[tuple[Any, ...]] = Counter()
    denied: Counter[tuple[Any, ...]] = Counter()
    whole: Counter[tuple[Any, ...]] = Counter()
    for at, organization, account, credential, is_allowed, reason in records:
        hour = begin(at)
        (allowed if is_allowed else denied)[organization, account, hour, credential] += 1
        whole[organization, hour, is_allowed, reason] += 1
    credentials: Counts = {key: (allowed[key], denied[key]) for key in {**allowed, **denied}}
    return credentials, {key: (count,) for key, count in whole.items()}


def _change(model: type[Model], key: tuple[str, ...], names: tuple[str, ...], counts: Counts) -> None:
    """Add to the counts of a table. In order, so that two transactions never lock each other out."""
    if not counts:
        return
    sums = ", ".join(f"{name} = held.{name} + excluded.{name}" for name in names)
    values = [(*each, *counts[each]) for each in sorted(counts)]
    _run(_ADD, model, key, values, counts=", ".join(names), sums=sums)


def _forget(
    model: type[Model], key: tuple[str, ...], names: tuple[str, ...], known: list[tuple[Any, ...]]
) -> None:
    """Delete what counts nothing any more, of those keys."""
    if known:
        _run(_FORGET, model, key, known, empty=" AND ".join(f"{name} <= 0" for name in names))


def _run(
    statement: str, model: type[Model], key: tuple[str, ...], rows: list[tuple[Any, ...]], **parts: str
) -> None:
    adapt = connection.ops.adapt_datetimefield_value
    one = f"({', '.join(['%s'] * len(rows[0]))})"
    with connection.cursor() as cursor:
        for first in range(0, len(rows), _ROWS):
            part = rows[first : first + _ROWS]
            values = [adapt(each) if isinstance(each, datetime) else each for row in part for each in row]
            text = statement.format(
                table=model._meta.db_table, key=", ".join(key), values=", ".join([one] * len(part)), **parts
            )
            cursor.execute(text, values)
