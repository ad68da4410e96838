"""Brings the schema up to date, and tells whether it is."""

from __future__ import annotations

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from retinue.server.installation import InstallationError
from retinue.server.ledger import guard


def migrate() -> None:
    """Apply all migrations. Safe to run again; does nothing when the schema is current."""
    with guard.suspended_for_schema_changes():
        call_command("migrate", interactive=False, verbosity=0)


def is_current() -> bool:
    """Tell whether every migration is applied."""
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


class WeakDurability(InstallationError):
    """The database would lose confirmed commits in a power cut."""


#: Settings without which a confirmed commit does not outlive a power cut, or the page that it stands in.
_POSTGRESQL = {"synchronous_commit": ("on", "remote_apply"), "fsync": ("on",), "full_page_writes": ("on",)}


def check_durability() -> None:
    """Read the durability settings back from the database. Raises :class:`WeakDurability`."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA journal_mode")
            journal = cursor.fetchone()[0]
            cursor.execute("PRAGMA synchronous")
            synchronous = cursor.fetchone()[0]
            if (journal, synchronous) != ("wal", 2):
                raise WeakDurability(
                    f"SQLite: journal_mode={journal}, synchronous={synchronous}; needs wal and 2 (FULL)"
                )
            return
        for setting, strong in _POSTGRESQL.items():
            cursor.execute(f"SHOW {setting}")
            found = cursor.fetchone()[0]
            if found not in strong:
                raise WeakDurability(f"PostgreSQL: {setting}={found}; needs {' or '.join(strong)}")
