"""Roles stand in tables of their own; groups, teams and access policies come beside them."""

import django.db.models.deletion
from django.db import migrations, models

import retinue.server.fields

PROTECT = django.db.models.deletion.PROTECT


def organization() -> models.ForeignKey:
    return models.ForeignKey(db_index=False, on_delete=PROTECT, related_name="+", to="directory.organization")


def named() -> list:
    return [
        ("id", retinue.server.fields.IdField(max_length=64, primary_key=True, serialize=False)),
        ("name", models.CharField(max_length=255)),
        ("description", models.TextField(blank=True)),
        ("created_at", models.DateTimeField()),
        ("created_by", retinue.server.fields.IdField(blank=True, max_length=64)),
        ("updated_at", models.DateTimeField()),
        ("deleted_at", models.DateTimeField(null=True)),
        ("organization", organization()),
    ]


def handed() -> list:
    return [
        ("expires_at", models.DateTimeField(null=True)),
        ("is_pending", models.BooleanField(default=False)),
        ("approved_by", retinue.server.fields.IdField(blank=True, max_length=64)),
    ]


def added(model: str) -> list:
    """What a grant or assignment has beside what it had."""
    fields = [
        *handed(),
        ("origin", retinue.server.fields.IdField(blank=True, max_length=64)),
        ("subject", retinue.server.fields.IdField(default="", max_length=64)),
    ]
    return [migrations.AddField(model, name, field) for name, field in fields]


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0002_indexes"),
        ("directory", "0002_indexes"),
    ]

    operations = [
        migrations.CreateModel(
            "Role",
            [
                *named(),
                ("handle", models.CharField(max_length=63)),
                ("patterns", models.JSONField(default=list)),
                ("like", models.CharField(blank=True, max_length=63)),
                ("bypass_scopes", models.BooleanField(default=False)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("deleted_at__isnull", True)),
                        fields=("organization", "handle"),
                        name="role_handle",
                    )
                ]
            },
        ),
        migrations.CreateModel(
            "Group",
            [
                *named(),
                ("kind", models.CharField(default="group", max_length=8)),
                ("name_folded", models.CharField(max_length=255)),
                ("rule", models.CharField(blank=True, max_length=16)),
                ("match", models.CharField(default="all", max_length=3)),
                ("conditions", models.JSONField(default=list)),
                ("locked", models.JSONField(default=list)),
            ],
            options={
                "indexes": [models.Index(fields=["organization", "rule"], name="group_by_rule")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("deleted_at__isnull", True)),
                        fields=("organization", "kind", "name_folded"),
                        name="group_name",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            "Membership",
            [
                ("id", retinue.server.fields.IdField(max_length=64, primary_key=True, serialize=False)),
                ("justification", models.TextField(blank=True)),
                ("granted_by", retinue.server.fields.IdField(max_length=64)),
                ("granted_at", models.DateTimeField()),
                *handed(),
                (
                    "group",
                    models.ForeignKey(
                        db_index=False, on_delete=PROTECT, related_name="memberships", to="access.group"
                    ),
                ),
                (
                    "principal",
                    models.ForeignKey(
                        on_delete=PROTECT, related_name="memberships", to="directory.principal"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("group", "principal"), name="member_once_a_group")
                ]
            },
        ),
        migrations.CreateModel(
            "AccessPolicy",
            [
                *named(),
                ("name_folded", models.CharField(max_length=255)),
                ("match", models.CharField(default="all", max_length=3)),
                ("conditions", models.JSONField(default=list)),
                ("subjects", models.JSONField(default=list)),
                ("is_enabled", models.BooleanField(default=True)),
                ("is_locked", models.BooleanField(default=False)),
                ("pending_by", retinue.server.fields.IdField(blank=True, max_length=64)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("deleted_at__isnull", True)),
                        fields=("organization", "name_folded"),
                        name="access_policy_name",
                    )
                ]
            },
        ),
        migrations.CreateModel(
            "TeamResource",
            [
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("resource", retinue.server.fields.IdField(max_length=128)),
                ("key", retinue.server.fields.IdField(max_length=160)),
                ("organization", organization()),
                (
                    "team",
                    models.ForeignKey(
                        db_index=False, on_delete=PROTECT, related_name="resources", to="access.group"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["key"], name="team_resource_by_key")],
                "constraints": [
                    models.UniqueConstraint(fields=("team", "resource"), name="resource_once_a_team")
                ],
            },
        ),
        migrations.RemoveConstraint("grant", "grant_once_a_principal"),
        migrations.RemoveConstraint("roleassignment", "role_once_a_principal"),
        migrations.RemoveIndex("roleassignment", "role_assignment_by_role"),
        migrations.RenameField("roleassignment", "role", "handle"),
        *added("grant"),
        *added("roleassignment"),
        migrations.AddField("grant", "resource", models.CharField(default='"*"', max_length=2048)),
        migrations.AddField("grant", "is_bound", models.BooleanField(default=False)),
        migrations.AddField(
            "grant",
            "organization",
            models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=PROTECT,
                related_name="+",
                to="directory.organization",
            ),
        ),
        migrations.AddField(
            "roleassignment",
            "role",
            models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=PROTECT,
                related_name="assignments",
                to="access.role",
            ),
        ),
    ]
