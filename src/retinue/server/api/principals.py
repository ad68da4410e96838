"""Users and service accounts in one list, where the policy wants them together; and the words for them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from retinue.server.access import queries as access
from retinue.server.api import render, schemas
from retinue.server.api.answers import instant
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Access, Call, Refused, operation
from retinue.server.directory import queries
from retinue.server.directory.queries import Principal as Row
from retinue.server.policies.policy import Policy
from retinue.server.policies.queries import policy_of
from retinue.server.policies.terminology import PACKS


class Principal(schemas.Answer):
    """A user or a service account; ``badge`` marks accounts among people."""

    id: str
    kind: Literal["user", "service_account"]
    badge: str | None
    handle: str
    name: str
    email: str | None
    roles: list[str]
    state: Literal["enabled", "disabled", "deleted"]
    created_at: str


class PrincipalList(schemas.Answer):
    """A page of users and service accounts."""

    items: list[Principal]
    next: str | None


class PrincipalFilter(schemas.ListQuery):
    """Filters of the list. Without ``kind`` the policy decides (`accounts.list_with_users`)."""

    kind: Literal["user", "service_account", "all"] | None = None
    state: Literal["enabled", "disabled", "deleted"] | None = None
    search: str | None = None
    role: str | None = None
    sort: Literal["name", "-name", "created_at", "-created_at"] = "name"


class Term(schemas.Answer):
    """What one thing is called."""

    one: str
    many: str


class Terminology(schemas.Answer):
    """The words that people are shown; fields of the API never change."""

    pack: str
    words: dict[str, Term] = Field(description="By the name that the API has for the thing or the act.")


@operation(
    "GET",
    "/principals",
    permission=("user:read", "service_account:read"),
    response=PrincipalList,
    tag="principals",
)
def list_principals(call: Call, query: PrincipalFilter) -> schemas.JSON:
    """List users, or users and service accounts together, as the policy wants it."""
    placed = policy_of(call.organization).accounts_list_with_users
    if placed == "hidden" and query.kind in ("all", "service_account"):
        raise Refused(
            "invalid_value",
            "service accounts never stand in lists of users here (accounts.list_with_users)",
            field="query.kind",
        )
    kind = query.kind or ("all" if placed == "badged" else "user")
    filters = {**query.filters(), "kind": kind}
    narrowed = {name: value for name, value in filters.items() if name != "role"}
    found = queries.people_and_accounts(call.organization, **narrowed)
    if query.role is not None:
        found = found.filter(id__in=access.holders_of(call.organization, query.role))
    rows, following = page(
        found,
        Listing(
            "principals",
            call.organization,
            filters,
            (query.sort, "-id" if query.sort.startswith("-") else "id"),
        ),
        cursor=query.cursor,
        limit=query.limit,
    )
    badge = PACKS[policy_of(call.organization).terminology]["service_account"][0]
    roles = access.roles_of(row.id for row in rows)
    return {"items": [_principal(row, badge, roles[row.id]) for row in rows], "next": following}


@operation("GET", "/terminology", permission=Access.SELF, response=Terminology, tag="principals")
def get_terminology(call: Call) -> schemas.JSON:
    """Get the words that people of the organization are shown."""
    return terminology(policy_of(call.organization))


def terminology(policy: Policy) -> schemas.JSON:
    """Return the words of a policy as the API answers them."""
    pack = policy.terminology
    return {
        "pack": pack,
        "words": {name: {"one": one, "many": many} for name, (one, many) in PACKS[pack].items()},
    }


def _principal(row: Row, badge: str, roles: list[str]) -> render.JSON:
    return {
        "id": row.id,
        "kind": row.kind,
        "badge": badge if row.kind == Row.SERVICE_ACCOUNT else None,
        "handle": row.handle,
        "name": row.name,
        "email": row.email or None,
        "roles": roles,
        "state": row.state,
        "created_at": instant(row.created_at),
    }
