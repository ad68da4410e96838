"""What groups and teams take and answer alike."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from retinue.server.access import group_actions, listing, member_actions, subjects
from retinue.server.access.grant_actions import assign, grant
from retinue.server.access.queries import Group as Row
from retinue.server.access.subjects import Subject
from retinue.server.api import render_access, schemas
from retinue.server.api.cursors import Listing, page
from retinue.server.api.grants import EXPIRES, ending
from retinue.server.api.operations import Call
from retinue.server.directory.queries import Principal
from retinue.server.errors import Refused

CONDITIONS = (
    "`{field, values}`: the field `kind`, `name`, `handle`, `environment` or `attributes.NAME` has one of "
    "the values, in which `*` stands for any text."
)
MEMBERS_MAX = 1_000


class Condition(schemas.Body):
    """A field of a principal, and the values of which it has one."""

    field: str
    values: list[str]


class Group(schemas.Answer):
    """A group or team."""

    id: str
    kind: Literal["group", "team"]
    name: str
    description: str
    rule: str | None
    match: Literal["all", "any"]
    conditions: list[Condition]
    locked: list[str]
    roles: list[str]
    members: int
    resources: int
    created_at: str
    created_by: schemas.PrincipalRef | None
    updated_at: str


class GroupList(schemas.Answer):
    """A page of groups or teams."""

    items: list[Group]
    next: str | None


class Filter(schemas.ListQuery):
    """Filters of the list."""

    name: str | None = None
    search: str | None = None


class Create(schemas.WithReason):
    """A new group or team."""

    name: str
    description: str = ""
    rule: Literal["users", "service_accounts", "all", "condition"] | None = Field(
        None, description="Who belongs to it by a rule; without one, people choose the members."
    )
    match: Literal["all", "any"] = "all"
    conditions: list[Condition] = Field([], description=f"With the rule `condition`. {CONDITIONS}")
    roles: list[str] = []
    permissions: list[str] = Field([], description="Permissions to grant to it.")
    members: list[str] = Field([], description="Principals, each by id, e-mail address or handle.")
    justification: str = ""


class Update(schemas.WithReason):
    """The fields to change; what is left out stays."""

    name: str = ""
    description: str = ""
    match: Literal["all", "any"] = "all"
    conditions: list[Condition] = Field([], description=CONDITIONS)
    justification: str = ""


class Members(schemas.WithReason):
    """Principals, each by id, e-mail address or handle."""

    members: list[str] = Field(max_length=MEMBERS_MAX)


class AddMembers(Members):
    """Principals to put in, and until when."""

    expires: str | None = Field(None, description=EXPIRES)
    justification: str = ""


class Member(schemas.Answer):
    """A principal that belongs to a group or team, by a rule or because somebody put it in."""

    principal: schemas.PrincipalRef
    by_rule: bool
    state: Literal["active", "pending", "expired"]
    justification: str
    granted_by: schemas.PrincipalRef | None
    granted_at: str | None
    approved_by: schemas.PrincipalRef | None
    expires_at: str | None


class MemberList(schemas.Answer):
    """A page of members."""

    items: list[Member]
    next: str | None


def listed(call: Call, kind: str, query: Filter) -> schemas.JSON:
    """Return a page of groups or teams."""
    filters = query.filters()
    rows, following = page(
        listing.group_rows(call.organization, kind, **filters),
        Listing(kind, call.organization, filters, ("name", "id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": render_access.groups(rows), "next": following}


def created(call: Call, kind: str, body: Create) -> schemas.JSON:
    """Create a group or team with its roles, grants and members: all of it or nothing."""
    made = group_actions.create(
        call.tx,
        call.organization,
        kind,
        name=body.name,
        description=body.description,
        rule=body.rule or "",
        match=body.match,
        stated=[each.model_dump() for each in body.conditions],
    )
    subject = Subject(made.id, kind, made.name)
    give(call, subject, body.roles, body.permissions, body.justification)
    if body.members:
        member_actions.add(call.tx, made, principals(call, body.members), body.justification)
    return one(made)


def give(call: Call, subject: Subject, roles: list[str], permissions: list[str], why: str) -> None:
    """Assign roles and grant permissions to a new subject."""
    for place, text in enumerate(roles):
        field = f"roles.{place}"
        role = subjects.role(call.organization, text, field)
        assign(call.tx, subject, role, why, field=field, organization=call.organization)
    for place, permission in enumerate(permissions):
        grant(
            call.tx,
            subject,
            permission,
            why,
            field=f"permissions.{place}",
            organization=call.organization,
        )


def updated(call: Call, found: Row, body: Update) -> schemas.JSON:
    """Change a group or team."""
    changes: dict[str, Any] = body.model_dump(include=body.model_fields_set & set(group_actions.FIELDS))
    return one(group_actions.update(call.tx, found, changes, body.justification))


def members(call: Call, found: Row, query: schemas.ListQuery) -> schemas.JSON:
    """Return a page of the members of a group or team."""
    rows, following = page(
        listing.members_of(found),
        Listing("members", found.id, {}, ("name", "id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": render_access.members(found, rows, call.now), "next": following}


def added(call: Call, found: Row, body: AddMembers) -> schemas.JSON:
    """Put principals into a group or team."""
    who = principals(call, body.members)
    member_actions.add(call.tx, found, who, body.justification, expires_at=ending(body.expires, call.now))
    return {"items": render_access.members(found, who, call.now), "next": None}


def removed(call: Call, found: Row, body: Members) -> schemas.JSON:
    """Take principals out of a group or team; the answer lists those who stay of the first page."""
    member_actions.remove(call.tx, found, principals(call, body.members))
    return one(found)


def principals(call: Call, texts: list[str]) -> list[Principal]:
    """Return the principals that a body names, once each."""
    found = []
    for place, text in enumerate(dict.fromkeys(texts)):
        subject = subjects.find(call.organization, text, f"members.{place}")
        if not subject.is_principal:
            raise Refused("invalid_value", "groups do not nest: name a principal", field=f"members.{place}")
        found.append(subject.id)
    rows = Principal.objects.in_bulk(found)
    return [rows[ident] for ident in found]


def one(row: Row) -> schemas.JSON:
    """Return one group or team."""
    return render_access.groups([row])[0]
