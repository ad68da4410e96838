"""Takes in what nodes ship: the request log and the usage counters. Never on the path of a decision.

One batch is one transaction: the records, the counters, and how far the spool has come commit together,
so each record counts exactly once however often its batch arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from retinue.server.ledger.giving_way import standing_back
from retinue.server.ledger.pruning import delete_some
from retinue.server.ledger.rows import stream
from retinue.server.ledger.transaction import one_writer
from retinue.server.policies.policy import NATIVE
from retinue.server.policies.queries import policy_of
from retinue.server.traffic import counting, rollup, rules, sampling, sweeping
from retinue.server.traffic.models import Origin, Request, SpoolProgress
from retinue.server.traffic.rules import Entry

__all__ = ["Entry", "ingest", "prune"]

#: The columns of a record, in the order of ``_COLUMNS``.
_Row = tuple[Any, ...]
_COLUMNS = (
    "at", "organization", "account", "account_kind", "account_name", "credential", "allowed", "reason",
    "permission", "method", "path", "address", "client", "node", "revision", "duration_us",
    "request_id", "route", "status",
)  # fmt: skip
_COUNTED = itemgetter(*(_COLUMNS.index(name) for name in rollup.COUNTED))
#: Rows of one INSERT: SQLite's interface lets other threads go on in every statement, and one that computes
#: gives the turn back after 5 ms; with a statement for each row a batch held the door for a second. With so
#: many no SQLite has too many values.
_ROWS = 50
#: Records made ready in one go, and for how long a batch lets calls be answered first.
_PART, PATIENCE_SECONDS = 100, 0.05
_LENGTHS = {
    field.name: field.max_length or 0 for field in Request._meta.get_fields() if hasattr(field, "max_length")
}


def ingest(node: str, spool: str, first: int, entries: Sequence[Entry]) -> int:
    """Store those entries of a batch that were not stored yet; return the sequence expected next.

    ``first`` is the sequence of the first entry. A batch that begins later than expected leaves a gap,
    which is counted: what a node lost is gone, and the rest must not wait for it. No entries just ask.
    Raises :class:`~retinue.server.errors.Refused` for a batch that no node sends.
    """
    rules.check_batch(spool, first, len(entries))
    now = timezone.now()
    with standing_back(PATIENCE_SECONDS) as give_way:
        ready = _ready(node, entries, now, give_way)
        with one_writer(last=True), transaction.atomic(durable=True):
            progress = _progress(node, spool, now)
            fresh = ready[max(progress.next - first, 0) :]
            if fresh:
                _store(node, fresh)
                progress.missing += max(first - progress.next, 0)
                progress.next = first + len(entries)
                progress.updated_at = now
                progress.save(update_fields=["missing", "next", "updated_at"])
        if fresh:
            sweeping.after_batch(now)
    return progress.next


def _ready(
    node: str, entries: Sequence[Entry], now: datetime, give_way: Callable[[], None]
) -> list[tuple[_Row, Entry]]:
    """Return each record and its columns. They are made before the door, where nobody waits for it."""
    ready: list[tuple[_Row, Entry]] = []
    for begin in range(0, len(entries), _PART):
        give_way()
        for record in entries[begin : begin + _PART]:
            ready.append((_row(node, record, rules.instant(record.at_ms, now)), record))
    return ready


def _progress(node: str, spool: str, now: datetime) -> SpoolProgress:
    """Return the spool's row, locked until the commit."""
    rows = SpoolProgress.objects.select_for_update(no_key=True).filter(node=node, spool=spool)
    found = rows.first()
    if found is None:
        blank = SpoolProgress(node=node, spool=spool, updated_at=now)
        SpoolProgress.objects.bulk_create([blank], ignore_conflicts=True)
        found = rows.get()
    return found


def _store(node_name: str, fresh: Sequence[tuple[_Row, Entry]]) -> None:
    # The policy as it is now: a batch that has waited keeps nothing once the log is off.
    counted, kept = counting.Counted(), sampling.Kept()
    rows = []
    for row, record in fresh:
        if kept.keeps(record):
            rows.append(row)
        if record.allowed and record.credential_id:
            counted.add(dict(zip(_COLUMNS, row, strict=True)))
    _insert(rows)
    counted.store(node_name)
    rollup.add(_COUNTED(row) for row in rows)


def _row(node_name: str, record: Entry, at: datetime) -> _Row:
    """Return the columns of a record, in the order of ``_COLUMNS``."""
    return (
        at,
        rules.text(record.organization, _LENGTHS["organization"]),
        rules.text(record.account, _LENGTHS["account"]),
        rules.text(record.account_kind, _LENGTHS["account_kind"]),
        rules.text(record.account_name, _LENGTHS["account_name"]),
        rules.text(record.credential_id, _LENGTHS["credential"]),
        record.allowed,
        rules.text(record.reason, _LENGTHS["reason"]),
        rules.text(record.permission, _LENGTHS["permission"]),
        rules.text(record.method, _LENGTHS["method"]),
        rules.path(record.path, _LENGTHS["path"]),
        rules.text(record.address, _LENGTHS["address"]),
        rules.text(record.client, _LENGTHS["client"]),
        node_name,
        rules.count(record.revision),
        rules.microseconds(record.duration_us),
        rules.text(record.request_id, _LENGTHS["request_id"]),
        rules.text(record.route, _LENGTHS["route"]),
        rules.status(record.status),
    )


def _insert(rows: list[_Row]) -> None:
    """Add rows to the request log: past the ORM's objects, which cost more than the database does."""
    if connection.vendor == "postgresql":
        stream(Request._meta.db_table, _COLUMNS, rows)
        return
    table = connection.ops.quote_name(Request._meta.db_table)
    columns = ", ".join(connection.ops.quote_name(name) for name in _COLUMNS)
    adapt = connection.ops.adapt_datetimefield_value
    one = f"({', '.join(['%s'] * len(_COLUMNS))})"
    with connection.cursor() as cursor:
        for begin in range(0, len(rows), _ROWS):
            part = rows[begin : begin + _ROWS]
            values = [value for row in part for value in (adapt(row[0]), *row[1:])]
            statement = f"INSERT INTO {table} ({columns}) VALUES {', '.join([one] * len(part))}"  # noqa: S608
            cursor.execute(statement, values)


def prune(now: datetime, most: int) -> int:
    """Delete at most ``most`` records that their organization keeps no longer; return how many went.

    Spools that were last heard of before then are forgotten too: their workers are long gone.
    """
    gone = 0
    for organization in _organizations():
        kept = timedelta(days=policy_of(organization).request_log.retention_days)
        old = Request.objects.filter(organization=organization, at__lt=now - kept).order_by("at")
        gone += delete_some(old, most - gone, rollup.take)
        if gone >= most:
            return gone
    kept = timedelta(days=NATIVE.request_log.retention_days)
    gone += delete_some(Origin.objects.filter(last_used_at__lt=now - kept), most - gone)
    return gone + delete_some(SpoolProgress.objects.filter(updated_at__lt=now - kept), most - gone)


def _organizations() -> Iterator[str]:
    """Yield each organization in the request log, one step in the index for each."""
    last = ""
    rows = Request.objects.order_by("organization").values_list("organization", flat=True)
    while (found := rows.filter(organization__gt=last).first()) is not None:
        yield found
        last = found
