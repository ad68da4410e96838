"""Writes the rows of one revision: past the ORM's objects, which cost more than the database does.

Every change pays for this, so it is one statement a table however many events and objects there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection

#: PostgreSQL channel on which other processes hear of a new revision.
CHANNEL = "retinue_head"

#: From so many events on, PostgreSQL takes rows as a stream.
MANY = 500

_EVENT = (
    "id", "revision", "n", "mark", "at", "organization", "type", "actor_kind", "actor", "credential",
    "request", "channel", "subject_kind", "subject", "before", "after",
)  # fmt: skip
_PERSONAL = ("event_id", "salt", "data")
_CHANGE = ("revision", "kind", "key", "reduces")

_NEXT = "UPDATE ledger_head SET revision = revision + 1, mark = %s WHERE id = 1 RETURNING epoch, revision"


def next_revision(mark: str) -> tuple[int, int]:
    """Take the next revision and return it behind its epoch; ``mark`` tells it from others of its number.

    The lock on the head row is held until the commit. Whoever holds it must not wait for another lock. So
    PostgreSQL checks foreign keys now, which locks the rows that they name; left to the commit, that would be
    after the head.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(_NEXT, [mark])
        epoch, revision = cursor.fetchone()
    return epoch, revision


def write(
    revision: int,
    events: Iterable[Sequence[Any]],
    personal: Iterable[Sequence[Any]],
    changes: Sequence[Sequence[Any]],
) -> None:
    """Add rows to the three tables, each with the columns in the order above.

    Instants and JSON are given as they are in Python. On PostgreSQL other processes are told of
    ``revision``, once it is committed.
    """
    at, json = connection.ops.adapt_datetimefield_value, connection.ops.adapt_json_value
    said = [(*row[:4], at(row[4]), *row[5:14], json(row[14], None), json(row[15], None)) for row in events]
    told = [(*row[:2], json(row[2], None)) for row in personal]
    if connection.vendor == "postgresql" and len(said) >= MANY:
        stream("ledger_auditevent", _EVENT, said)
        stream("ledger_personalpart", _PERSONAL, told)
        stream("ledger_change", _CHANGE, changes)
        said, told, changes = [], [], []
    with _in_one_round_trip(), connection.cursor() as cursor:
        if said:
            cursor.executemany(_insert("ledger_auditevent", _EVENT), said)
            cursor.executemany(_insert("ledger_personalpart", _PERSONAL), told)
        if changes:
            cursor.executemany(_insert("ledger_change", _CHANGE), changes)
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(revision)])


def stream(table: str, columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
    """Add many rows to a table of PostgreSQL, at a tenth of what inserts take. Raises ``DatabaseError``."""
    named = ", ".join(f'"{column}"' for column in columns)
    statement = f'COPY "{table}" ({named}) FROM STDIN'
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


@contextmanager
def _in_one_round_trip() -> Iterator[None]:
    """Send what is executed inside together: the head row is locked while PostgreSQL is waited for."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


def _insert(table: str, columns: tuple[str, ...]) -> str:
    named = ", ".join(f'"{column}"' for column in columns)
    return f'INSERT INTO "{table}" ({named}) VALUES ({", ".join(["%s"] * len(columns))})'  # noqa: S608
