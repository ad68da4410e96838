"""Findings are listed the worst first: the kept ones get their places when everything is looked at anew."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def _look_anew(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("governance", "FindingsLook").objects.all().delete()


class Migration(migrations.Migration):
    """Nothing of the tables changes."""

    dependencies = [("governance", "0004_kept_findings")]
    operations = [migrations.RunPython(_look_anew, migrations.RunPython.noop, elidable=True)]
