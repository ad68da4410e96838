"""Gives each organization the native roles and groups, and what principals hold its new place."""

from typing import Any

from django.db import migrations
from django.utils import timezone

from retinue.server.ids import new_id

ROLES = {
    "owner": ("Owner", True),
    "administrator": ("Administrator", True),
    "access-manager": ("Access manager", False),
    "auditor": ("Auditor", False),
    "member": ("Member", False),
}
GROUPS = {
    "People": ("users", ["membership", "name", "grants", "deletion"]),
    "Service accounts": ("service_accounts", ["membership", "name", "deletion"]),
}


def fill(apps: Any, schema_editor: Any) -> None:
    model = lambda name: apps.get_model("access", name)  # noqa: E731
    now = timezone.now()
    made: dict[tuple[str, str], str] = {}
    for organization in apps.get_model("directory", "Organization").objects.all():
        shared = {"organization": organization, "created_at": now, "updated_at": now, "created_by": "system"}
        for handle, (name, bypass) in ROLES.items():
            role = model("Role").objects.create(
                id=new_id("rol"), handle=handle, name=name, like=handle, bypass_scopes=bypass, **shared
            )
            made[organization.id, handle] = role.id
        for name, (rule, locked) in GROUPS.items():
            model("Group").objects.create(
                id=new_id("grp"), name=name, name_folded=name.casefold(), rule=rule, locked=locked, **shared
            )
    for row in model("Grant").objects.select_related("principal"):
        row.subject, row.organization_id = row.principal_id, row.principal.organization_id
        row.save()
    for row in model("RoleAssignment").objects.select_related("principal"):
        row.subject = row.principal_id
        row.role_id = made.get((row.principal.organization_id, row.handle))
        row.save()
    # A role that this version did not know gave nothing.
    model("RoleAssignment").objects.filter(role__isnull=True).delete()


class Migration(migrations.Migration):
    dependencies = [("access", "0003_roles_groups_policies")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
