"""Access policies: list, create, get, update, delete, approve, and whom one would match."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from retinue.server.access import listing, policy_actions
from retinue.server.access.queries import AccessPolicy as Row
from retinue.server.access.subjects import Subject
from retinue.server.api import collecting, render_access, schemas
from retinue.server.api.collecting import CONDITIONS, Condition
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Call, operation

TAG = "access-policies"
LIST, ONE = "/access-policies", "/access-policies/{policy_id}"


class AccessPolicy(schemas.Answer):
    """A rule that becomes grants."""

    id: str
    name: str
    description: str
    match: Literal["all", "any"]
    conditions: list[Condition]
    subjects: list[schemas.PrincipalRef]
    roles: list[str]
    enabled: bool
    locked: bool
    state: Literal["active", "disabled", "pending"]
    created_at: str
    created_by: schemas.PrincipalRef | None
    updated_at: str


class AccessPolicyList(schemas.Answer):
    """A page of access policies."""

    items: list[AccessPolicy]
    next: str | None


class Who(schemas.WithReason):
    """Whom an access policy matches."""

    match: Literal["all", "any"] = "all"
    conditions: list[Condition] = Field([], description=CONDITIONS)
    subjects: list[str] = Field([], description="Principals, groups and teams that it names.")


class CreateAccessPolicy(Who):
    """A new access policy, with the roles and permissions that it gives."""

    name: str
    description: str = ""
    enabled: bool = True
    roles: list[str] = []
    permissions: list[str] = []
    justification: str = ""


class UpdateAccessPolicy(Who):
    """The fields to change; what is left out stays."""

    name: str = ""
    description: str = ""
    enabled: bool = True
    locked: bool = False
    add_subjects: list[str] = Field([], description="Named besides; instead of `subjects`.")
    remove_subjects: list[str] = Field([], description="Not named any more; instead of `subjects`.")
    justification: str = ""


class Matched(schemas.Answer):
    """Whom an access policy would match, the first hundred of each, and how many there are."""

    principals: list[schemas.PrincipalRef]
    principals_count: int
    groups: list[schemas.PrincipalRef]


@operation("GET", LIST, permission="access_policy:read", response=AccessPolicyList, tag=TAG)
def list_access_policies(call: Call, query: collecting.Filter) -> schemas.JSON:
    """List the access policies of the organization."""
    filters = query.filters()
    rows, following = page(
        listing.policy_rows(call.organization, **filters),
        Listing("access_policies", call.organization, filters, ("name", "id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": render_access.policies(rows), "next": following}


@operation(
    "POST",
    LIST,
    permission="access_policy:create",
    also={"roles": ("grant:create",), "permissions": ("grant:create",)},
    response=AccessPolicy,
    status=201,
    tag=TAG,
)
def create_access_policy(call: Call, body: CreateAccessPolicy) -> schemas.JSON:
    """Create an access policy with what it gives: all of it or nothing."""
    made = policy_actions.create(
        call.tx,
        call.organization,
        name=body.name,
        description=body.description,
        match=body.match,
        stated=[each.model_dump() for each in body.conditions],
        named=body.subjects,
        enabled=body.enabled,
    )
    collecting.give(
        call, Subject(made.id, "policy", made.name), body.roles, body.permissions, body.justification
    )
    return _one(made)


@operation(
    "POST",
    f"{LIST}/preview",
    permission="access_policy:read",
    response=Matched,
    tag=TAG,
    changes=False,
)
def preview_access_policy(call: Call, body: Who) -> schemas.JSON:
    """Tell whom an access policy would match now."""
    row = Row(organization_id=call.organization, id="preview")
    policy_actions.fill(row, body.model_dump(include={"match", "conditions", "subjects"}))
    return render_access.matched(row)


@operation("GET", ONE, permission="access_policy:read", response=AccessPolicy, tag=TAG)
def get_access_policy(call: Call, policy_id: str) -> schemas.JSON:
    """Get an access policy."""
    return _one(policy_actions.find(call.organization, policy_id))


@operation("PATCH", ONE, permission="access_policy:update", response=AccessPolicy, tag=TAG, reduces=True)
def update_access_policy(call: Call, policy_id: str, body: UpdateAccessPolicy) -> schemas.JSON:
    """Change an access policy; what is left out stays. A locked one is unlocked first, by itself."""
    changes: dict[str, Any] = body.model_dump(include=body.model_fields_set & set(policy_actions.FIELDS))
    found = policy_actions.find(call.organization, policy_id)
    return _one(policy_actions.update(call.tx, found, changes, body.justification))


@operation("DELETE", ONE, permission="access_policy:delete", response=AccessPolicy, tag=TAG, reduces=True)
def delete_access_policy(call: Call, policy_id: str, query: schemas.Reasoned) -> schemas.JSON:
    """Delete an access policy: whom it matched has nothing by it any more."""
    return _one(policy_actions.delete(call.tx, policy_actions.find(call.organization, policy_id)))


@operation("POST", f"{ONE}/approve", permission="access_policy:update", response=AccessPolicy, tag=TAG)
def approve_access_policy(call: Call, policy_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Put an access policy in force that waits for a second person."""
    return _one(
        policy_actions.approve(call.tx, policy_actions.find(call.organization, policy_id), body.reason)
    )


def _one(row: Row) -> schemas.JSON:
    return render_access.policies([row])[0]
