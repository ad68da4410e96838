"""Grants and assignments name their subject, whatever it is; the column for principals goes."""

import django.db.models.deletion
from django.db import migrations, models

import retinue.server.fields

PROTECT = django.db.models.deletion.PROTECT


class Migration(migrations.Migration):
    dependencies = [("access", "0004_native_roles")]

    operations = [
        migrations.RemoveField("grant", "principal"),
        migrations.RemoveField("roleassignment", "principal"),
        migrations.RemoveField("roleassignment", "handle"),
        migrations.AlterField("grant", "subject", retinue.server.fields.IdField(max_length=64)),
        migrations.AlterField("roleassignment", "subject", retinue.server.fields.IdField(max_length=64)),
        migrations.AlterField(
            "grant",
            "organization",
            models.ForeignKey(
                db_index=False, on_delete=PROTECT, related_name="+", to="directory.organization"
            ),
        ),
        migrations.AlterField(
            "roleassignment",
            "role",
            models.ForeignKey(
                db_index=False, on_delete=PROTECT, related_name="assignments", to="access.role"
            ),
        ),
        migrations.AddConstraint(
            "grant",
            models.UniqueConstraint(
                fields=("subject", "permission", "resource"), name="grant_once_a_subject"
            ),
        ),
        migrations.AddConstraint(
            "roleassignment",
            models.UniqueConstraint(fields=("subject", "role"), name="role_once_a_subject"),
        ),
        migrations.AddIndex(
            "roleassignment",
            models.Index(fields=["role", "subject"], name="role_assignment_by_role"),
        ),
        migrations.AddIndex(
            "grant",
            models.Index(fields=["organization", "granted_at", "id"], name="grant_by_organization"),
        ),
    ]
