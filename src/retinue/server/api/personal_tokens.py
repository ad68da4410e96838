"""Personal access tokens of others, as far as the policy lets administrators (``pat.admin_visibility``).

Never the token itself; and nobody but its user issues, renames or rotates one.
"""

from __future__ import annotations

from pydantic import Field

from retinue.server.api import render, schemas
from retinue.server.api.credential_schemas import Key, KeyList, RevokeKey, State, Status
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Call, operation
from retinue.server.api.secrets_told import one
from retinue.server.credentials import actions, queries
from retinue.server.credentials.queries import Credential
from retinue.server.directory import queries as directory
from retinue.server.errors import NotFound, Refused
from retinue.server.policies.queries import in_force, policy_of
from retinue.server.traffic import queries as traffic
from retinue.token import Kind

TAG = "personal-access-tokens"
LIST, ONE = "/personal-access-tokens", "/personal-access-tokens/{token_id}"
NOUN = "personal access token"


class TokenFilter(schemas.ListQuery):
    """Filters of the list of personal access tokens."""

    user: str | None = Field(None, description="Id, or e-mail address, of a user.")
    state: State | None = None
    status: Status | None = None
    search: str | None = None


@operation("GET", LIST, permission="pat:read", response=KeyList, tag=TAG)
def list_personal_tokens(call: Call, query: TokenFilter) -> schemas.JSON:
    """List the personal access tokens of all users: none where the policy shows administrators none."""
    filters = query.filters()
    user = None if query.user is None else directory.id_of(call.organization, query.user)
    state = query.state or ("deleted" if query.status == "deleted" else None)
    rows = queries.credentials(
        call.organization, [Kind.PERSONAL], account=user, state=state, search=query.search
    )
    if not is_visible(call.organization):
        rows = rows.none()
    if query.status is not None:
        rows = queries.with_status(
            rows,
            query.status,
            call.now,
            used=traffic.used_credentials(),
            policy=in_force(call.organization),
            lacking=queries.lacking_users(call.organization),
        )
    found, following = page(
        rows,
        Listing("personal tokens", call.organization, filters, ("-issued_at", "-id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": render.keys(found, call.now), "next": following}


@operation("GET", ONE, permission="pat:read", response=Key, tag=TAG)
def get_personal_token(call: Call, token_id: str) -> schemas.JSON:
    """Get a personal access token of a user."""
    return one(call, visible(call, token_id))


@operation("POST", f"{ONE}/revoke", permission="pat:revoke", response=Key, tag=TAG, reduces=True)
def revoke_personal_token(call: Call, token_id: str, body: RevokeKey) -> schemas.JSON:
    """Revoke a personal access token of a user, where the policy lets administrators."""
    token = visible(call, token_id)
    check_revocable(call.organization)
    return one(call, actions.revoke(call.tx, token, reason=body.reason, text=body.text))


def check_revocable(organization: str) -> None:
    """Refuse where the policy lets nobody but a user revoke the user's tokens."""
    if policy_of(organization).pat_admin_visibility != "metadata_and_revoke":
        raise Refused("state_conflict", "only its user revokes a token here (pat.admin_visibility)")


def is_visible(organization: str) -> bool:
    """Tell whether the policy shows administrators the tokens of others."""
    return policy_of(organization).pat_admin_visibility != "none"


def visible(call: Call, token_id: str) -> Credential:
    """Return a token of the organization. Raises :class:`NotFound` where administrators see none."""
    if not is_visible(call.organization):
        raise NotFound(NOUN, token_id)
    return queries.credential(call.organization, token_id, Kind.PERSONAL, NOUN)
