"""Assigned roles: who holds which role, since when, why and until when."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from retinue.server.access import actions, approving, grant_actions, listing, queries, subjects
from retinue.server.access.checks import check_most
from retinue.server.api import render_access, schemas
from retinue.server.api.cursors import Listing, page
from retinue.server.api.grants import EXPIRES, ending
from retinue.server.api.operations import Call, operation
from retinue.server.credentials import founding
from retinue.server.directory import queries as directory
from retinue.server.errors import Refused

TAG = "assignments"
LIST, ONE = "/assignments", "/assignments/{assignment_id}"


class Assignment(schemas.Answer):
    """A subject holds a role."""

    id: str
    subject: schemas.PrincipalRef
    role: schemas.PrincipalRef
    state: Literal["active", "pending", "expired"]
    origin: str | None
    justification: str
    granted_by: schemas.PrincipalRef | None
    granted_at: str
    approved_by: schemas.PrincipalRef | None
    expires_at: str | None


class AssignmentList(schemas.Answer):
    """A page of assigned roles."""

    items: list[Assignment]
    next: str | None


class AssignmentFilter(schemas.ListQuery):
    """Filters of the list of assigned roles."""

    subject: str | None = Field(None, description="Id of a subject.")
    role: str | None = Field(None, description="Handle of a role.")
    pending: bool | None = None


class AssignRole(schemas.WithReason):
    """A role for a principal (id or handle), group, team or access policy (id)."""

    subject: str
    role: str
    expires: str | None = Field(None, description=EXPIRES)
    justification: str = ""


@operation("GET", LIST, permission="grant:read", response=AssignmentList, tag=TAG)
def list_assignments(call: Call, query: AssignmentFilter) -> schemas.JSON:
    """List the assigned roles of the organization."""
    filters = query.filters()
    rows, following = page(
        listing.assignment_rows(call.organization, **filters),
        Listing("assignments", call.organization, filters, ("granted_at", "id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": render_access.assignments(rows, call.now), "next": following}


@operation("POST", LIST, permission="grant:create", response=Assignment, status=201, tag=TAG)
def assign_role(call: Call, body: AssignRole) -> schemas.JSON:
    """Assign a role to a principal, group, team or access policy."""
    subject = subjects.find(call.organization, body.subject)
    role = subjects.role(call.organization, body.role, "role")
    made = actions.assign(
        call.tx,
        subject,
        role,
        body.justification,
        expires_at=ending(body.expires, call.now),
        organization=call.organization,
    )
    if made is None:
        raise Refused("duplicate_name", f"{subject.name} holds the role {role.handle} already", field="role")
    check_most(call.organization, subject)
    return render_access.assignments([made], call.now)[0]


@operation("DELETE", ONE, permission="grant:delete", response=Assignment, tag=TAG, reduces=True)
def unassign_role(call: Call, assignment_id: str, query: schemas.Reasoned) -> schemas.JSON:
    """Take a role away; one that waits for approval is rejected by this."""
    found = approving.find_assignment(call.organization, assignment_id)
    subject = subjects.named(call.organization, [found.subject])[found.subject]
    holder = directory.principals([subject.id]).get(subject.id)
    if holder is not None and not found.is_pending:
        held = queries.roles_of([holder.id])[holder.id]
        founding.check_roles_may_go(holder, [each for each in held if each != found.role.handle])
    grant_actions.take_role(call.tx, subject, found, call.organization)
    check_most(call.organization, subject)
    return render_access.assignments([found], call.now)[0]


@operation("POST", f"{ONE}/approve", permission="grant:create", response=Assignment, tag=TAG)
def approve_assignment(call: Call, assignment_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Let a role hold that waits for a second person."""
    approved = approving.approve_assignment(call.tx, call.organization, assignment_id)
    return render_access.assignments([approved], call.now)[0]
