"""Users, and the caller itself."""

from ninja import Query

from retinue.server.access import actions as access
from retinue.server.access import queries as access_queries
from retinue.server.api import render, schemas
from retinue.server.api.answers import instant
from retinue.server.api.cursors import page
from retinue.server.api.operations import Access, Call, operation
from retinue.server.credentials import actions as credentials
from retinue.server.credentials import queries as credential_queries
from retinue.server.directory import actions, queries
from retinue.server.errors import Refused


class UserFilter(schemas.ListQuery):
    """Filters of the list of users."""

    email: str | None = None
    search: str | None = None


@operation("GET", "/users", permission="user:read", response=schemas.UserList, tag="users")
def list_users(call: Call, query: Query[UserFilter]) -> schemas.JSON:
    """List the users of the organization."""
    filters = query.model_dump(include={"email", "search"})
    rows, following = page(
        queries.users(call.organization, **filters),
        order=("name", "id"),
        bound_to=f"users|{call.organization}|{filters}",
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": render.users(rows), "next": following}


@operation("POST", "/users", permission="user:create", response=schemas.User, status=201, tag="users")
def create_user(call: Call, body: schemas.CreateUser) -> schemas.JSON:
    """Create a user, without a password."""
    if body.roles and "grant:create" not in _held(call):
        raise Refused(
            "permission_missing", "handing out roles needs grant:create", required=("grant:create",)
        )
    made = actions.create_user(call.tx, call.organization, email=body.email, name=body.name)
    access.assign_roles(call.tx, made, body.roles, body.justification)
    return render.users([made])[0]


@operation("GET", "/users/{user_id}", permission="user:read", response=schemas.User, tag="users")
def get_user(call: Call, user_id: str) -> schemas.JSON:
    """Get a user."""
    return render.users([queries.user(call.organization, user_id)])[0]


def _held(call: Call) -> frozenset[str]:
    return access_queries.effective(queries.principals([call.actor.id])[call.actor.id])


@operation("GET", "/me", permission=Access.SELF, response=schemas.AnyAnswer, tag="me")
def get_me(call: Call) -> schemas.JSON:
    """Tell who the caller is, with which credential, and what it may do."""
    me = queries.principals([call.actor.id])[call.actor.id]
    home = queries.organization(call.organization)
    credential = credential_queries.by_ids([call.actor.credential])[call.actor.credential]
    principal = render.ref(me) or {}
    if me.email:
        principal["email"] = me.email
    return {
        "principal": principal,
        "organization": {"id": home.id, "handle": home.handle, "name": home.name},
        "credential": {
            "id": credential.id,
            "kind": "personal_access_token" if credential.kind == "pat" else "api_key",
            "name": credential.name,
            "expires_at": instant(credential.expires_at),
        },
        "permissions": sorted(access_queries.effective(me)),
        "operator": me.is_operator,
    }


@operation("GET", "/me/tokens", permission=Access.SELF, response=schemas.KeyList, tag="me")
def list_my_tokens(call: Call, query: Query[schemas.ListQuery]) -> schemas.JSON:
    """List the caller's own personal access tokens."""
    rows, following = page(
        credential_queries.personal_tokens(call.actor.id),
        order=("-issued_at", "-id"),
        bound_to=f"tokens|{call.actor.id}",
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": render.keys(rows, call.now), "next": following}


@operation("POST", "/me/tokens/{token_id}/revoke", permission=Access.SELF, response=schemas.Key, tag="me")
def revoke_my_token(call: Call, token_id: str, body: schemas.RevokeKey) -> schemas.JSON:
    """Revoke one of the caller's own personal access tokens."""
    token = credential_queries.personal_token(call.actor.id, token_id)
    return render.keys([credentials.revoke(call.tx, token, reason=body.reason, text=body.text)], call.now)[0]
