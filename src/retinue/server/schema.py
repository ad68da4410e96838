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
    """Tell whether every migration is applied, and none that this version does not know."""
    executor = MigrationExecutor(connection)
    return not (_unknown(executor) or executor.migration_plan(executor.loader.graph.leaf_nodes()))


def check() -> None:
    """Raise :class:`InstallationError` if the database is of a newer or an older version."""
    executor = MigrationExecutor(connection)
    unknown = _unknown(executor)
    if unknown:
        raise InstallationError(
            f"the database is of a newer version ({unknown[0]} is applied): run that version of Retinue"
        )
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise InstallationError("the database is missing or of another version: run `retinue init`")


def _unknown(executor: MigrationExecutor) -> list[str]:
    loader = executor.loader
    known = set(loader.disk_migrations or ())
    return sorted(
        f"{app}.{name}"
        for app, name in loader.applied_migrations or ()
        if app in loader.migrated_apps and (app, name) not in known
    )


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
