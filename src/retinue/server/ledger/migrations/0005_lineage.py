"""Where this history is written, on a database that can tell."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_NOTE = """
UPDATE ledger_head SET lineage = (
    SELECT system_identifier || '.' || (SELECT oid FROM pg_database WHERE datname = current_database())
        || '.' || left(pg_walfile_name(pg_current_wal_lsn()), 8)
    FROM pg_control_system()
)
"""


def note_lineage(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(_NOTE)


class Migration(migrations.Migration):
    dependencies = [("ledger", "0004_history")]
    operations = [migrations.RunPython(note_lineage, migrations.RunPython.noop)]
