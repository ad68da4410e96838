from __future__ import annotations

from typing import Any

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

import retinue.server.fields

_HOUR = {
    "sqlite": "substr(at, 1, 13) || ':00:00'",
    "postgresql": "date_trunc('hour', at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'",
}
_CREDENTIALS = """
INSERT INTO traffic_credentialhour (organization, account, hour, credential, allowed, denied)
SELECT organization, account, {hour} AS begin, credential,
    SUM(CASE WHEN allowed THEN 1 ELSE 0 END), SUM(CASE WHEN allowed THEN 0 ELSE 1 END)
FROM traffic_request GROUP BY organization, account, begin, credential
"""
_ORGANIZATIONS = """
INSERT INTO traffic_organizationhour (organization, hour, allowed, reason, count)
SELECT organization, {hour} AS begin, allowed, reason, COUNT(*)
FROM traffic_request GROUP BY organization, begin, allowed, reason
"""


def fillings(vendor: str) -> list[str]:
    """Return the statements that count all records by hours, for a kind of database."""
    return [each.format(hour=_HOUR[vendor]) for each in (_CREDENTIALS, _ORGANIZATIONS)]


def fill(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Count the records that there are already. Nobody stores one meanwhile."""
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL statement_timeout = 0")  # a large log takes minutes
            cursor.execute("LOCK TABLE traffic_request IN SHARE ROW EXCLUSIVE MODE")
        for statement in fillings(connection.vendor):
            cursor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [
        ("traffic", "0006_route_and_status"),
    ]

    operations = [
        migrations.CreateModel(
            name="CredentialHour",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("organization", retinue.server.fields.IdField(max_length=64)),
                ("account", retinue.server.fields.IdField(blank=True, max_length=64)),
                ("hour", models.DateTimeField()),
                ("credential", retinue.server.fields.IdField(blank=True, max_length=64)),
                ("allowed", models.BigIntegerField()),
                ("denied", models.BigIntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "account", "hour", "credential"), name="credential_hour_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OrganizationHour",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("organization", retinue.server.fields.IdField(max_length=64)),
                ("hour", models.DateTimeField()),
                ("allowed", models.BooleanField()),
                ("reason", models.CharField(blank=True, max_length=32)),
                ("count", models.BigIntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "hour", "allowed", "reason"), name="organization_hour_once"
                    )
                ],
            },
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
