"""The ledger as nodes read it: the head, and which objects changed since a revision.

Call these inside ``ledger.transaction.reading()``, so that head, changes and the records that are
compiled from them belong to one state of the database.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet

from retinue.replica.records import Kind

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Position:
    """The head: epoch, latest revision, and the revision from which on the change log is whole."""

    epoch: int
    revision: int
    compacted_revision: int


@dataclass(frozen=True, slots=True)
class Touched:
    """One changed object in one revision."""

    revision: int
    kind: str
    key: str

    @property
    def place(self) -> tuple[Kind, str]:
        """Where its record stands."""
        return Kind(self.kind), self.key


@dataclass(frozen=True, slots=True)
class Keys:
    """A selection of objects: exactly these keys."""

    keys: Collection[str]


@dataclass(frozen=True, slots=True)
class Range:
    """A selection of objects: the first ``limit`` keys after ``after`` in bytewise order."""

    after: str
    limit: int


Selection = Keys | Range

# Every poll and every decision about a caller reads these: the ORM would take longer than the database.
_CHANGES = """
SELECT revision, kind, key FROM ledger_change WHERE (revision, kind, key) > (%s, %s, %s)
ORDER BY revision, kind, key LIMIT %s
"""


def narrow(rows: QuerySet[M], column: str, selection: Selection) -> QuerySet[M]:
    """Narrow ``rows`` to a selection by ``column``, in its order. The column must sort by its bytes."""
    if isinstance(selection, Keys):
        return rows.filter(**{f"{column}__in": list(selection.keys)}).order_by(column)
    return rows.filter(**{f"{column}__gt": selection.after}).order_by(column)[: selection.limit]


def select(statement: str, column: str, selection: Selection, *given: Any) -> list[tuple[Any, ...]]:
    """Run ``statement``, which ends in a condition, narrowed to a selection by ``column``; return its rows.

    For what each call of the API and each poll reads: the ORM would take longer than the database.
    """
    if isinstance(selection, Keys):
        among = ", ".join(["%s"] * len(selection.keys)) or "NULL"
        more: list[Any] = list(selection.keys)
        chosen = f"{column} IN ({among}) ORDER BY {column}"
    else:
        chosen, more = f"{column} > %s ORDER BY {column} LIMIT %s", [selection.after, selection.limit]
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} AND {chosen}", [*given, *more])
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def pick(items: dict[str, Any], selection: Selection) -> list[str]:
    """Do the same for keys that stand in the code: return the selected keys of ``items`` in order."""
    if isinstance(selection, Keys):
        return sorted(set(selection.keys) & items.keys(), key=str.encode)
    return sorted((key for key in items if key > selection.after), key=str.encode)[: selection.limit]


def position() -> Position:
    """Return the head."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT epoch, revision, compacted_revision FROM ledger_head WHERE id = 1")
        return Position(*cursor.fetchone())


def changes(after: Touched, limit: int) -> list[Touched]:
    """Return the next ``limit`` changes after one of them, in an order that never changes.

    ``Touched(revision + 1, "", "")`` stands after everything in ``revision``.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CHANGES, [after.revision, after.kind, after.key, limit])
        return [Touched(*row) for row in cursor.fetchall()]
