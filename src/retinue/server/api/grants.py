"""Direct grants of a service account, and what it may do in all, with where each permission comes from."""

from __future__ import annotations

from typing import Literal

from retinue.server.access import actions, queries
from retinue.server.api import render, schemas
from retinue.server.api.accounts import ONE
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Call, operation
from retinue.server.directory import queries as directory

TAG = "grants"


class Grant(schemas.Answer):
    """A permission that an account holds directly."""

    id: str
    subject: schemas.PrincipalRef
    permission: str
    source: Literal["direct"]
    justification: str
    granted_by: schemas.PrincipalRef | None
    granted_at: str
    expires_at: str | None


class GrantList(schemas.Answer):
    """The direct grants of an account."""

    items: list[Grant]
    next: str | None


class CreateGrant(schemas.WithReason):
    """A permission to grant, or a pattern such as `report:*`."""

    permission: str
    justification: str = ""


class PermissionSource(schemas.Answer):
    """One way in which a permission is held."""

    kind: str
    id: str
    name: str
    granted_by: schemas.PrincipalRef | None
    granted_at: str | None
    justification: str


class EffectivePermission(schemas.Answer):
    """An effective permission, with every way in which it is held."""

    permission: str
    sources: list[PermissionSource]


class EffectivePermissionList(schemas.Answer):
    """What an account may do; never paged."""

    items: list[EffectivePermission]
    next: None


@operation("GET", f"{ONE}/grants", permission="grant:read", response=GrantList, tag=TAG)
def list_grants(call: Call, account_id: str, query: schemas.ListQuery) -> schemas.JSON:
    """List the permissions that a service account holds directly."""
    account = directory.account(call.organization, account_id)
    rows, following = page(
        queries.grants(account),
        Listing("grants", account.id, {}, ("granted_at", "id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": render.grants(rows, account), "next": following}


@operation("POST", f"{ONE}/grants", permission="grant:create", response=Grant, status=201, tag=TAG)
def create_grant(call: Call, account_id: str, body: CreateGrant) -> schemas.JSON:
    """Grant a permission to a service account."""
    account = directory.account(call.organization, account_id, lock=True)
    return render.grants([actions.grant(call.tx, account, body.permission, body.justification)], account)[0]


@operation(
    "DELETE", f"{ONE}/grants/{{grant_id}}", permission="grant:delete", response=Grant, tag=TAG, reduces=True
)
def delete_grant(call: Call, account_id: str, grant_id: str, query: schemas.Reasoned) -> schemas.JSON:
    """Take a direct grant away."""
    account = directory.account(call.organization, account_id, lock=True)
    return render.grants([actions.delete_grant(call.tx, account, grant_id)], account)[0]


@operation("GET", f"{ONE}/permissions", permission="grant:read", response=EffectivePermissionList, tag=TAG)
def list_effective_permissions(call: Call, account_id: str) -> schemas.JSON:
    """List what a service account may do, and where each permission comes from."""
    found = queries.sources(directory.account(call.organization, account_id))
    return {"items": render.permissions(found), "next": None}
