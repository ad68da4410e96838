"""The caller's own personal access tokens. Who may hold none any more still sees and ends them."""

from __future__ import annotations

from pydantic import Field

from retinue.server.api import render, schemas
from retinue.server.api.credential_schemas import (
    EXPIRES,
    ExpireKey,
    ExpiringKey,
    IssuedPersonalToken,
    Key,
    KeyList,
    RegenerateKey,
    RenameKey,
    Restrictions,
    RestrictKey,
    RevokeKey,
    RotateKey,
)
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Access, Call, operation
from retinue.server.api.secrets_told import ended, issued, one, regenerated, rotated
from retinue.server.credentials import actions, queries
from retinue.server.credentials.queries import Credential
from retinue.verifier import PAT_ISSUE

TAG = "me"
LIST, ONE = "/me/tokens", "/me/tokens/{token_id}"


class IssueToken(schemas.WithReason):
    """A personal access token to issue."""

    name: str | None = None
    expires: str | None = Field(None, description=EXPIRES)
    restrictions: Restrictions | None = None


@operation("GET", LIST, permission=Access.SELF, response=KeyList, tag=TAG)
def list_my_tokens(call: Call, query: schemas.ListQuery) -> schemas.JSON:
    """List the caller's own personal access tokens."""
    rows, following = page(
        queries.personal_tokens(call.actor.id),
        Listing("tokens", call.actor.id, {}, ("-issued_at", "-id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": render.keys(rows, call.now), "next": following}


@operation("POST", LIST, permission=PAT_ISSUE, response=IssuedPersonalToken, status=201, tag=TAG)
def issue_my_token(call: Call, body: IssueToken) -> schemas.JSON:
    """Issue a personal access token for the caller. The token stands in this answer and nowhere else."""
    narrowed = None if body.restrictions is None else body.restrictions.given()
    made = actions.issue_own_token(
        call.tx, call.own_principal, name=body.name, expires=body.expires, restrictions=narrowed
    )
    return issued(call, made)


@operation("GET", ONE, permission=Access.SELF, response=Key, tag=TAG)
def get_my_token(call: Call, token_id: str) -> schemas.JSON:
    """Get one's own token."""
    return one(call, _own(call, token_id))


@operation("PATCH", ONE, permission=Access.SELF, response=Key, tag=TAG)
def rename_my_token(call: Call, token_id: str, body: RenameKey) -> schemas.JSON:
    """Rename one's own token; its id stays."""
    return one(call, actions.rename(call.tx, _own(call, token_id), body.name))


@operation(
    "POST",
    f"{ONE}/rotate",
    permission=PAT_ISSUE,
    response=IssuedPersonalToken,
    status=201,
    tag=TAG,
    reduces=True,
)
def rotate_my_token(call: Call, token_id: str, body: RotateKey) -> schemas.JSON:
    """Issue a successor of one's own token; the old one is accepted beside it for the overlap."""
    return rotated(call, _own(call, token_id), body)


@operation("POST", f"{ONE}/finish-rotation", permission=Access.SELF, response=Key, tag=TAG, reduces=True)
def finish_my_rotation(call: Call, token_id: str, body: schemas.WithReason) -> schemas.JSON:
    """End the overlap of a rotation now: the old token, which this answers, is refused from now on."""
    return one(call, actions.finish(call.tx, _own(call, token_id)))


@operation(
    "POST", f"{ONE}/regenerate", permission=PAT_ISSUE, response=IssuedPersonalToken, tag=TAG, reduces=True
)
def regenerate_my_token(call: Call, token_id: str, body: RegenerateKey) -> schemas.JSON:
    """Replace the secret of one's own token under the same id."""
    return regenerated(call, _own(call, token_id), body)


@operation("POST", f"{ONE}/expire", permission=PAT_ISSUE, response=ExpiringKey, tag=TAG, reduces=True)
def expire_my_token(call: Call, token_id: str, body: ExpireKey) -> schemas.JSON:
    """Give one's own token another end: now, earlier, or later as far as the policy allows."""
    return ended(call, *actions.expire(call.tx, _own(call, token_id), body.expires))


@operation("POST", f"{ONE}/restrict", permission=PAT_ISSUE, response=Key, tag=TAG, reduces=True)
def restrict_my_token(call: Call, token_id: str, body: RestrictKey) -> schemas.JSON:
    """Narrow one's own token to exactly these networks, endpoints, methods and times."""
    return one(call, actions.restrict(call.tx, _own(call, token_id), body.restrictions.given()))


@operation("POST", f"{ONE}/revoke", permission=Access.SELF, response=Key, tag=TAG, reduces=True)
def revoke_my_token(call: Call, token_id: str, body: RevokeKey) -> schemas.JSON:
    """Revoke one's own token."""
    token = _own(call, token_id)
    return one(call, actions.revoke(call.tx, token, reason=body.reason, text=body.text))


@operation("POST", f"{ONE}/restore", permission=PAT_ISSUE, response=Key, tag=TAG)
def restore_my_token(call: Call, token_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Confirm a token that was suspended as one's roles changed, or restore one that was revoked."""
    return one(call, actions.restore(call.tx, _own(call, token_id)))


@operation("DELETE", ONE, permission=Access.SELF, response=Key, tag=TAG, reduces=True)
def delete_my_token(call: Call, token_id: str, query: schemas.Reasoned) -> schemas.JSON:
    """Delete one's own token that is revoked or expired; a tombstone stays."""
    return one(call, actions.delete(call.tx, _own(call, token_id)))


def _own(call: Call, token_id: str) -> Credential:
    return queries.personal_token(call.actor.id, token_id)
