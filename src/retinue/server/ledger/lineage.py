"""Which history this database holds: its epoch, and where the database says so, its lineage.

PostgreSQL tells more than the rows do: another cluster, another database, or another timeline, which begins
where a server was promoted or restored to an instant. SQLite says nothing; there only the marks of revisions
tell one history from another.
"""

from __future__ import annotations

from django.db import connection

from retinue.server.ledger.models import Head

_LINEAGE = """
SELECT system_identifier || '.' || (SELECT oid FROM pg_database WHERE datname = current_database())
    || '.' || left(pg_walfile_name(pg_current_wal_lsn()), 8)
FROM pg_control_system()
"""


def lineage() -> str:
    """Return cluster, database and timeline of the database that answers now; empty on SQLite."""
    if connection.vendor != "postgresql":
        return ""
    with connection.cursor() as cursor:
        cursor.execute(_LINEAGE)
        return str(cursor.fetchone()[0])


def has_moved() -> bool:
    """Tell whether another database answers now than the one in which this history was written."""
    known = Head.objects.values_list("lineage", flat=True).get(id=1)
    return known not in ("", lineage())


def begin_epoch(epoch: int) -> None:
    """Make ``epoch`` that of the head, with doubt; call it inside the write door, once the head is locked."""
    Head.objects.filter(id=1).update(epoch=epoch, is_recovering=True, lineage=lineage())


def end_doubt() -> None:
    """Let leases and receipts run again; call it inside the write door, once the head is locked."""
    Head.objects.filter(id=1).update(is_recovering=False)
