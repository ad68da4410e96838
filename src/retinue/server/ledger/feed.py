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

from retinue.replica.records import Kind, Origin

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Position:
    """The head: epoch, latest revision, and the revision from which on the change log is whole."""

    epoch: int
    revision: int
    compacted_revision: int
    #: The mark of the latest revision.
    mark: str = ""
    #: The history is in doubt: see ``nodes.epochs``.
    is_recovering: bool = False
    #: The database is not the one that it was (PostgreSQL: a server that was promoted).
    has_moved: bool = False


@dataclass(frozen=True, slots=True)
class Touched:
    """One changed object in one revision."""

    revision: int
    kind: str
    key: str
    reduces: bool = False
    mark: str = ""
    at_ms: int = 0

    @property
    def origin(self) -> Origin:
        """What a node notes of it."""
        return Origin(self.revision, self.mark, self.at_ms, bool(self.reduces))

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
#: An instant as records carry it, made by the database: a page of thousands makes no datetimes.
MILLISECONDS = {
    "sqlite": "COALESCE(CAST(ROUND((julianday({0}) - 2440587.5) * 86400000) AS INTEGER), 0)",
    "postgresql": "COALESCE((EXTRACT(EPOCH FROM {0}) * 1000)::bigint, 0)",
}
_CHANGES = """
SELECT c.revision, c.kind, c.key, c.reduces, e.mark, {at}
FROM ledger_change c JOIN ledger_auditevent e ON e.revision = c.revision AND e.n = 1
WHERE (c.revision, c.kind, c.key) > (%s, %s, %s) ORDER BY c.revision, c.kind, c.key LIMIT %s
"""
# The last change of each object that took access away, or else the last one.
_ORIGINS = """
SELECT last.key, last.revision, e.mark, {at}, last.reduces = 1 FROM (
  SELECT key, COALESCE(MAX(CASE WHEN reduces THEN revision END), MAX(revision)) AS revision,
         MAX(CASE WHEN reduces THEN 1 ELSE 0 END) AS reduces
  FROM ledger_change WHERE kind = %s AND key > %s AND key <= %s GROUP BY key
) last JOIN ledger_auditevent e ON e.revision = last.revision AND e.n = 1
"""
_MARKS = "SELECT revision, mark FROM ledger_auditevent WHERE n = 1 AND revision"
_HEAD = (
    "SELECT epoch, revision, compacted_revision, mark, is_recovering, {moved} FROM ledger_head WHERE id = 1"
)
#: A lineage ends with the timeline.
_MOVED = {
    "sqlite": "false",
    "postgresql": "lineage <> '' AND right(lineage, 8) <> left(pg_walfile_name(pg_current_wal_lsn()), 8)",
}
_OTHER = "SELECT 1 FROM ledger_auditevent WHERE revision > %s AND revision <= %s AND type <> %s LIMIT 1"
#: Greater than every key.
LAST = "\x7f"


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


def has_other(after: int, upto: int, event: str) -> bool:
    """Tell whether there is another event than ``event`` after a revision, up to another. Both are young."""
    with connection.cursor() as cursor:
        cursor.execute(_OTHER, [after, upto, event])
        return cursor.fetchone() is not None


def position() -> Position:
    """Return the head."""
    return position_beside("NULL")[0]


def position_beside(value: str, *given: str) -> tuple[Position, Any]:
    """Return the head, and in the same statement one more value: an expression of SQL with its arguments."""
    with connection.cursor() as cursor:
        moved = f"{_MOVED[connection.vendor]}, {value}"
        cursor.execute(_HEAD.format(moved=moved), given or None)
        epoch, revision, compacted, mark, is_recovering, has_moved, found = cursor.fetchone()
    return Position(epoch, revision, compacted, mark, bool(is_recovering), bool(has_moved)), found


def knows(revision: int, mark: str) -> bool:
    """Tell whether the revision with this mark belongs to the history of this database.

    A blank mark is that of a revision from before there were marks; then the number alone tells.
    """
    if revision == 0:
        return True
    with connection.cursor() as cursor:
        cursor.execute(f"{_MARKS} = %s", [revision])
        found = cursor.fetchone()
    return found is not None and (mark in ("", found[1]) or found[1] == "")


def changes(after: Touched, limit: int) -> list[Touched]:
    """Return the next ``limit`` changes after one of them, in an order that never changes.

    ``Touched(revision + 1, "", "")`` stands after everything in ``revision``.
    """
    with connection.cursor() as cursor:
        at = MILLISECONDS[connection.vendor].format("e.at")
        cursor.execute(_CHANGES.format(at=at), [after.revision, after.kind, after.key, limit])
        return [Touched(*row) for row in cursor.fetchall()]


def marks(revisions: Collection[int]) -> dict[int, str]:
    """Return the marks of those of these revisions that this history has."""
    if not revisions:
        return {}
    among = ", ".join(["%s"] * len(revisions))
    with connection.cursor() as cursor:
        cursor.execute(f"{_MARKS} IN ({among})", list(revisions))
        return dict(cursor.fetchall())


def origins(kind: Kind, after: str, upto: str) -> dict[str, Origin]:
    """Return, by key in ``(after, upto]``, where objects changed last, as far as changes are kept.

    The last change that took access away counts, whatever came later.
    """
    with connection.cursor() as cursor:
        at = MILLISECONDS[connection.vendor].format("e.at")
        cursor.execute(_ORIGINS.format(at=at), [kind.value, after, upto])
        return {
            key: Origin(revision, mark, at_ms, bool(reduces))
            for key, revision, mark, at_ms, reduces in cursor.fetchall()
        }
