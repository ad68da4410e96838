"""Direct grants of a service account, and what it may do in all, with where each permission comes from."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from retinue.server import instants
from retinue.server.access import (
    actions,
    approving,
    copying,
    grant_actions,
    listing,
    queries,
    selectors,
    subjects,
)
from retinue.server.api import render_access, schemas
from retinue.server.api.accounts import ONE
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Call, operation
from retinue.server.credentials.rules import duration_seconds
from retinue.server.directory import queries as directory
from retinue.server.traffic import queries as traffic

TAG = "grants"
RESOURCE = (
    'On which resources: "*", "own", "team", {"ids": [...]} or {"where": {attribute: [values]}}. '
    "Management permissions hold for the organization."
)
EXPIRES = "When it ends by itself: a duration (`30d`) or an RFC 3339 instant."


def ending(text: str | None, now: datetime, field: str = "expires") -> datetime | None:
    """Return the instant that a body names as an end; ``None`` for none."""
    if text is None or text == "never":
        return None
    if text[-1:] in ("s", "m", "h", "d"):
        return instants.later(now, duration_seconds(text, field), field)
    return instants.read(text, field, "a duration such as 30d, or an RFC 3339 instant")


class Grant(schemas.Answer):
    """A permission that a subject holds on some resources."""

    id: str
    subject: schemas.PrincipalRef
    permission: str
    resource: Any
    source: Literal["direct", "role", "group", "team", "policy"]
    state: Literal["active", "pending", "expired"]
    origin: str | None
    justification: str
    granted_by: schemas.PrincipalRef | None
    granted_at: str
    approved_by: schemas.PrincipalRef | None
    expires_at: str | None


class GrantList(schemas.Answer):
    """The direct grants of an account."""

    items: list[Grant]
    next: str | None


class CreateGrant(schemas.WithReason):
    """A permission to grant, or a pattern such as `report:*`."""

    permission: str
    resource: Any = Field("*", description=RESOURCE)
    expires: str | None = Field(None, description=EXPIRES)
    justification: str = ""


class PathLink(schemas.Answer):
    """One step of a path: what gives, and who handed that out."""

    kind: str
    id: str
    name: str
    granted_by: schemas.PrincipalRef | None
    granted_at: str | None
    justification: str
    expires_at: str | None


class PermissionSource(PathLink):
    """One path by which a permission is held; the fields of its last step, and all steps in `path`."""

    text: str
    resource: Any
    within_teams: bool
    path: list[PathLink]


class EffectivePermission(schemas.Answer):
    """An effective permission, with every way in which it is held."""

    permission: str
    held: Literal["explicit", "inherited"]
    last_used_at: str | None = Field(description="When it was last used; null for a user, and for never.")
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
        queries.grants(account.id),
        Listing("grants", account.id, {}, ("granted_at", "id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": render_access.grants(rows, call.now), "next": following}


@operation("POST", f"{ONE}/grants", permission="grant:create", response=Grant, status=201, tag=TAG)
def create_grant(call: Call, account_id: str, body: CreateGrant) -> schemas.JSON:
    """Grant a permission to a service account."""
    account = directory.account(call.organization, account_id, lock=True)
    made = actions.grant(
        call.tx,
        account,
        body.permission,
        body.justification,
        resource=selectors.parse(body.resource),
        expires_at=ending(body.expires, call.now),
    )
    return render_access.grants([made], call.now)[0]


@operation(
    "DELETE", f"{ONE}/grants/{{grant_id}}", permission="grant:delete", response=Grant, tag=TAG, reduces=True
)
def delete_grant(call: Call, account_id: str, grant_id: str, query: schemas.Reasoned) -> schemas.JSON:
    """Take a direct grant away."""
    account = directory.account(call.organization, account_id, lock=True)
    return render_access.grants([actions.delete_grant(call.tx, account, grant_id)], call.now)[0]


@operation("GET", f"{ONE}/permissions", permission="grant:read", response=EffectivePermissionList, tag=TAG)
def list_effective_permissions(call: Call, account_id: str) -> schemas.JSON:
    """List what a service account may do, and where each permission comes from."""
    account = directory.account(call.organization, account_id)
    used = traffic.exercised([account.id])[account.id]
    return {"items": render_access.permissions(queries.sources(account), used), "next": None}


class Drifted(schemas.Answer):
    """How the grants that were copied from an origin differ from what it gives now."""

    origin: str
    missing: list[str] = Field(description="What only the origin gives.")
    extra: list[str] = Field(description="What only the account has.")


class DriftList(schemas.Answer):
    """The origins that have drifted; never paged."""

    items: list[Drifted]
    next: None


@operation("GET", f"{ONE}/drift", permission="grant:read", response=DriftList, tag=TAG)
def list_drift(call: Call, account_id: str) -> schemas.JSON:
    """List how copied permissions differ from what they were copied from."""
    found = copying.drift(directory.account(call.organization, account_id))
    items = [{"origin": each.origin, "missing": each.missing, "extra": each.extra} for each in found]
    return {"items": items, "next": None}


class HandOut(schemas.WithReason):
    """A permission for any subject: a principal (id or handle), group, team, role or access policy (id)."""

    subject: str
    permission: str
    resource: Any = Field("*", description=RESOURCE)
    expires: str | None = Field(None, description=EXPIRES)
    justification: str = ""


class GrantFilter(schemas.ListQuery):
    """Filters of the organization's list of grants."""

    subject: str | None = Field(None, description="Id of a subject.")
    permission: str | None = None
    pending: bool | None = None


@operation("GET", "/grants", permission="grant:read", response=GrantList, tag=TAG)
def list_all_grants(call: Call, query: GrantFilter) -> schemas.JSON:
    """List the grants of the organization, of whatever subject."""
    filters = query.filters()
    rows, following = page(
        listing.grant_rows(call.organization, **filters),
        Listing("all_grants", call.organization, filters, ("granted_at", "id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": render_access.grants(rows, call.now), "next": following}


@operation("POST", "/grants", permission="grant:create", response=Grant, status=201, tag=TAG)
def hand_out_grant(call: Call, body: HandOut) -> schemas.JSON:
    """Grant a permission to a principal, group, team, role or access policy."""
    made = actions.grant(
        call.tx,
        subjects.find(call.organization, body.subject),
        body.permission,
        body.justification,
        resource=selectors.parse(body.resource),
        expires_at=ending(body.expires, call.now),
        organization=call.organization,
    )
    return render_access.grants([made], call.now)[0]


@operation("DELETE", "/grants/{grant_id}", permission="grant:delete", response=Grant, tag=TAG, reduces=True)
def take_grant_back(call: Call, grant_id: str, query: schemas.Reasoned) -> schemas.JSON:
    """Take a grant away, from whatever subject; one that waits for approval is rejected by this."""
    found = approving.find_grant(call.organization, grant_id)
    return render_access.grants([grant_actions.delete_grant(call.tx, call.organization, found)], call.now)[0]


@operation("POST", "/grants/{grant_id}/approve", permission="grant:create", response=Grant, tag=TAG)
def approve_grant(call: Call, grant_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Let a grant hold that waits for a second person."""
    found = approving.approve_grant(call.tx, call.organization, grant_id)
    return render_access.grants([found], call.now)[0]


@operation(
    "GET", "/users/{user_id}/permissions", permission="grant:read", response=EffectivePermissionList, tag=TAG
)
def list_permissions_of_user(call: Call, user_id: str) -> schemas.JSON:
    """List what a user may do, and where each permission comes from."""
    found = queries.sources(directory.user(call.organization, user_id))
    return {"items": render_access.permissions(found), "next": None}
