"""The row of the epoch that the head is in: the first one begins with the installation."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.utils import timezone


def make_row(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    head = apps.get_model("ledger", "Head").objects.get(id=1)
    now = timezone.now()
    apps.get_model("nodes", "Epoch").objects.get_or_create(
        epoch=head.epoch, defaults={"state": "open", "cause": "installed", "began_at": now, "opened_at": now}
    )


class Migration(migrations.Migration):
    dependencies = [("nodes", "0007_epoch"), ("ledger", "0005_lineage")]
    operations = [migrations.RunPython(make_row, migrations.RunPython.noop)]
