"""Users of the organization: list, create, get."""

from __future__ import annotations

from typing import Literal

from retinue.server.access import actions as access
from retinue.server.api import render, schemas
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Call, operation
from retinue.server.directory import actions, queries

TAG = "users"
LIST, ONE = "/users", "/users/{user_id}"


class User(schemas.Answer):
    """A person of the organization."""

    id: str
    kind: Literal["user"]
    email: str | None
    handle: str
    name: str
    roles: list[str]
    state: Literal["enabled", "disabled", "deleted"]
    operator: bool
    created_at: str
    created_by: schemas.PrincipalRef | None
    can_sign_in: bool


class UserList(schemas.Answer):
    """A page of users."""

    items: list[User]
    next: str | None


class UserFilter(schemas.ListQuery):
    """Filters of the list of users."""

    email: str | None = None
    search: str | None = None


class CreateUser(schemas.WithReason):
    """A new user, without a password."""

    email: str
    name: str
    roles: list[str] = []
    justification: str = ""


@operation("GET", LIST, permission="user:read", response=UserList, tag=TAG)
def list_users(call: Call, query: UserFilter) -> schemas.JSON:
    """List the users of the organization."""
    filters = query.filters()
    rows, following = page(
        queries.users(call.organization, **filters),
        Listing("users", call.organization, filters, ("name", "id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": render.users(rows), "next": following}


@operation(
    "POST",
    LIST,
    permission="user:create",
    also={"roles": ("grant:create",)},
    response=User,
    status=201,
    tag=TAG,
)
def create_user(call: Call, body: CreateUser) -> schemas.JSON:
    """Create a user, without a password."""
    made = actions.create_user(call.tx, call.organization, email=body.email, name=body.name)
    access.assign_roles(call.tx, made, body.roles, body.justification)
    return render.users([made])[0]


@operation("GET", ONE, permission="user:read", response=User, tag=TAG)
def get_user(call: Call, user_id: str) -> schemas.JSON:
    """Get a user."""
    return render.users([queries.user(call.organization, user_id)])[0]
