"""The catalogue of permissions: list, and import by operators of the installation."""

from __future__ import annotations

from functools import cache

from pydantic import Field

from retinue.server.access import actions, listing, queries
from retinue.server.access.catalogue import Declaration, check_declaration
from retinue.server.api import schemas
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import OPERATIONS, Access, Call, operation
from retinue.server.errors import Refused

TAG = "permissions"


class Permission(schemas.Answer):
    """A permission that is declared."""

    name: str
    label: str
    description: str
    sensitivity: str
    management: bool
    declared_by: str
    endpoints: list[str] = Field(description="Which of Retinue's own endpoints need it: `GET /v1/users`.")


class PermissionList(schemas.Answer):
    """A page of the catalogue."""

    items: list[Permission]
    next: str | None


class PermissionFilter(schemas.ListQuery):
    """Filters of the catalogue."""

    search: str | None = None
    management: bool | None = None


class Declared(schemas.Body):
    """A permission as the host declares it."""

    name: str
    label: str = ""
    description: str = ""
    sensitivity: str = "normal"


class ImportPermissions(schemas.WithReason):
    """Permissions to declare; `withdraw_others` withdraws what an earlier import declared beside them."""

    permissions: list[Declared] = Field(max_length=1_000)
    withdraw_others: bool = False


class Imported(schemas.Answer):
    """How many permissions there are now."""

    declared: int


@cache
def _endpoints() -> dict[str, list[str]]:
    """Return which endpoints need each permission, always or for a field of their body."""
    found: dict[str, list[str]] = {}
    for each in OPERATIONS:
        always = () if isinstance(each.needs, Access) else each.needs
        for name in dict.fromkeys((*always, *(name for names in each.also.values() for name in names))):
            found.setdefault(name, []).append(f"{each.method} /v1{each.path}")
    return found


@operation("GET", "/permissions", permission="role:read", response=PermissionList, tag=TAG)
def list_permissions(call: Call, query: PermissionFilter) -> schemas.JSON:
    """List the permissions that can be granted, by name."""
    filters = query.filters()
    rows, following = page(
        listing.permission_rows(**filters),
        Listing("permissions", call.organization, filters, ("name",)),
        cursor=query.cursor,
        limit=query.limit,
    )
    needed = _endpoints()
    items = [
        {
            "name": row.name,
            "label": row.label,
            "description": row.description,
            "sensitivity": row.sensitivity,
            "management": row.is_management,
            "declared_by": "retinue" if row.is_management else row.declared_by,
            "endpoints": needed.get(row.name, []),
        }
        for row in rows
    ]
    return {"items": items, "next": following}


@operation(
    "POST", "/permissions/import", permission="permission:import", response=Imported, tag=TAG, reduces=True
)
def import_permissions(call: Call, body: ImportPermissions) -> schemas.JSON:
    """Declare permissions of the host's API, beside those of `permissions.yaml`."""
    declared = [Declaration(**each.model_dump()) for each in body.permissions]
    seen: set[str] = set()
    for place, each in enumerate(declared):
        check_declaration(each, f"permissions.{place}")
        if each.name in seen:
            raise Refused("duplicate_name", f"{each.name} stands twice", field=f"permissions.{place}.name")
        seen.add(each.name)
    actions.declare(call.tx, declared, by="import", is_all=body.withdraw_others)
    return {"declared": len(queries.catalogue())}
