"""Why may it, who may, and what would change if: nothing of this changes anything."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from retinue.authority import Resource
from retinue.server.access import explaining, queries
from retinue.server.access.rules import check_pattern
from retinue.server.api import render, render_access, schemas, simulating
from retinue.server.api.cursors import Listing, page
from retinue.server.api.grants import PermissionSource
from retinue.server.api.operations import Call, operation
from retinue.server.directory import queries as directory
from retinue.server.directory.queries import Principal
from retinue.server.errors import Refused

TAG = "decisions"


class About(schemas.Body):
    """A permission, and what it is used on: the resource's id, and what the host knows of it."""

    permission: str
    resource: str | None = None
    attributes: dict[str, str] = {}


class Why(About):
    """Whether and why a principal may."""

    principal: str = Field(description="Id, handle or e-mail address.")


class Explained(schemas.Answer):
    """Whether a principal may, by which paths, and which other paths give it elsewhere or no longer."""

    principal: schemas.PrincipalRef
    permission: str
    resource: str | None
    allowed: bool
    reason: str | None
    held: Literal["explicit", "inherited", "none"]
    paths: list[PermissionSource]
    others: list[PermissionSource]


class Who(schemas.ListQuery):
    """A permission and a resource."""

    permission: str
    resource: str | None = None


class WhoList(schemas.Answer):
    """Who may; a page may hold fewer than asked for, and none, while `next` leads on."""

    items: list[schemas.PrincipalRef]
    next: str | None


class Simulate(schemas.Body):
    """Changes to try, in this order, and whose permissions to compare (default: whom they may concern)."""

    changes: list[simulating.Step] = Field(min_length=1, max_length=20)
    principals: list[str] = Field([], max_length=100)


class Difference(schemas.Answer):
    """What a principal would gain and lose."""

    principal: schemas.PrincipalRef
    gained: list[str]
    lost: list[str]
    limited: list[str] = Field(description="Still held, but on other resources, or until another time.")


class Simulated(schemas.Answer):
    """What would change; `truncated` says that it was looked at for the first thousand principals only."""

    items: list[Difference]
    examined: int
    truncated: bool


@operation(
    "POST", "/decisions/explain", permission="decision:simulate", response=Explained, tag=TAG, changes=False
)
def explain_decision(call: Call, body: Why) -> schemas.JSON:
    """Tell whether a principal may do it now, and by which paths."""
    _check(body.permission)
    principal = _principal(call, body.principal)
    answer = explaining.why(principal, body.permission, Resource(body.resource, body.attributes))
    people = directory.principals(
        link.granted_by for part in (*answer.paths, *answer.others) for link in part.links
    )
    explicit = any(len(part.links) == 1 and part.links[0].kind == "direct" for part in answer.paths)
    return {
        "principal": render.ref(principal),
        "permission": body.permission,
        "resource": body.resource,
        "allowed": answer.allowed,
        "reason": answer.reason,
        "held": "explicit" if explicit else "inherited" if answer.paths else "none",
        "paths": [render_access.path(body.permission, part, people) for part in answer.paths],
        "others": [render_access.path(body.permission, part, people) for part in answer.others],
    }


@operation("GET", "/decisions/who", permission="decision:simulate", response=WhoList, tag=TAG)
def list_who_may(call: Call, query: Who) -> schemas.JSON:
    """List who may use a permission now, on a resource if one is named."""
    _check(query.permission, "query.permission")
    rows, following = page(
        explaining.candidates(call.organization, query.permission),
        Listing("who", call.organization, query.filters(), ("name", "id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    found = explaining.who(rows, query.permission, Resource(query.resource))
    return {"items": [render.ref(each) for each in found], "next": following}


@operation(
    "POST", "/decisions/simulate", permission="decision:simulate", response=Simulated, tag=TAG, changes=False
)
def simulate_changes(call: Call, body: Simulate) -> schemas.JSON:
    """Tell who would gain or lose which permissions by changes, without making them."""
    named = [_principal(call, text, f"principals.{place}").id for place, text in enumerate(body.principals)]
    found = simulating.run(call, body.changes, named)
    people = directory.principals(found.differences)
    items: list[dict[str, Any]] = [
        {"principal": render.ref(people[ident]), **difference}
        for ident, difference in found.differences.items()
    ]
    return {"items": items, "examined": found.examined, "truncated": found.truncated}


def _check(permission: str, field: str = "permission") -> None:
    if "*" in permission:
        raise Refused("invalid_value", "one permission, not a pattern", field=field)
    check_pattern(permission, queries.catalogue(), field)


def _principal(call: Call, text: str, field: str = "principal") -> Principal:
    ident = directory.id_of(call.organization, text)
    found = Principal.objects.filter(organization_id=call.organization, id=ident).first()
    if found is None:
        raise Refused("not_found", f"there is no principal {text!r} here", field=field)
    return found
