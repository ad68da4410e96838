"""Roles of the organization: list, create, get, update, clone, delete."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from retinue.server.access import listing, role_actions
from retinue.server.access.queries import Role as Row
from retinue.server.api import render_access, schemas
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Call, operation

TAG = "roles"
LIST, ONE = "/roles", "/roles/{role_id}"


class Role(schemas.Answer):
    """A named set of permissions."""

    id: str
    handle: str
    name: str
    description: str
    permissions: list[str]
    like: str | None
    bypass_scopes: bool
    people_only: bool
    holders: int
    created_at: str
    created_by: schemas.PrincipalRef | None
    updated_at: str


class RoleList(schemas.Answer):
    """A page of roles."""

    items: list[Role]
    next: str | None


class RoleFilter(schemas.ListQuery):
    """Filters of the list of roles."""

    handle: str | None = None
    search: str | None = None


class CreateRole(schemas.WithReason):
    """A new role."""

    name: str
    handle: str | None = None
    description: str = ""
    permissions: list[str] = Field([], description="Permissions, or patterns such as `report:*`.")
    bypass_scopes: bool = Field(False, description="Reaches the resources of every team.")


class UpdateRole(schemas.WithReason):
    """The fields to change; what is left out stays. `permissions` replaces them all."""

    name: str = ""
    handle: str = ""
    description: str = ""
    permissions: list[str] = []
    bypass_scopes: bool = False
    justification: str = ""


class CloneRole(schemas.WithReason):
    """The name of the clone."""

    name: str
    handle: str | None = None


class DeleteRole(schemas.Reasoned):
    """What happens to those who hold it: `lose` says that they lose it; else a role that is held stays."""

    holders: Literal["keep", "lose"] = "keep"


@operation("GET", LIST, permission="role:read", response=RoleList, tag=TAG)
def list_roles(call: Call, query: RoleFilter) -> schemas.JSON:
    """List the roles of the organization."""
    filters = query.filters()
    rows, following = page(
        listing.role_rows(call.organization, **filters),
        Listing("roles", call.organization, filters, ("handle", "id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": render_access.roles(rows), "next": following}


@operation("POST", LIST, permission="role:create", response=Role, status=201, tag=TAG)
def create_role(call: Call, body: CreateRole) -> schemas.JSON:
    """Create a role."""
    made = role_actions.create(
        call.tx,
        call.organization,
        name=body.name,
        handle=body.handle,
        description=body.description,
        permissions=body.permissions,
        bypass_scopes=body.bypass_scopes,
    )
    return _one(made)


@operation("GET", ONE, permission="role:read", response=Role, tag=TAG)
def get_role(call: Call, role_id: str) -> schemas.JSON:
    """Get a role."""
    return _one(role_actions.find(call.organization, role_id))


@operation("PATCH", ONE, permission="role:update", response=Role, tag=TAG, reduces=True)
def update_role(call: Call, role_id: str, body: UpdateRole) -> schemas.JSON:
    """Change a role; it holds for the next decision about each of its holders."""
    changes: dict[str, Any] = body.model_dump(include=body.model_fields_set & set(role_actions.FIELDS))
    found = role_actions.find(call.organization, role_id)
    return _one(role_actions.update(call.tx, found, changes, body.justification))


@operation("POST", f"{ONE}/clone", permission="role:create", response=Role, status=201, tag=TAG)
def clone_role(call: Call, role_id: str, body: CloneRole) -> schemas.JSON:
    """Create a role with the permissions of another; nobody holds it yet."""
    found = role_actions.find(call.organization, role_id)
    return _one(role_actions.clone(call.tx, found, name=body.name, handle=body.handle))


@operation("DELETE", ONE, permission="role:delete", response=Role, tag=TAG, reduces=True)
def delete_role(call: Call, role_id: str, query: DeleteRole) -> schemas.JSON:
    """Delete a role. One that is held is deleted only with `holders=lose`."""
    found = role_actions.find(call.organization, role_id)
    return _one(role_actions.delete(call.tx, found, from_holders=query.holders == "lose"))


def _one(row: Row) -> schemas.JSON:
    return render_access.roles([row])[0]
