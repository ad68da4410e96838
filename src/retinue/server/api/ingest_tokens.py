"""Ingest tokens: they belong to the organization, write where they are bound to, and can be published."""

from __future__ import annotations

from pydantic import Field

from retinue.server.api import render, schemas
from retinue.server.api.credential_schemas import (
    EXPIRES,
    ExpireKey,
    ExpiringKey,
    IssuedKey,
    Key,
    KeyList,
    RegenerateKey,
    RenameKey,
    Restrictions,
    RestrictKey,
    RevokeKey,
    RotateKey,
    State,
    Status,
)
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Call, operation
from retinue.server.api.secrets_told import ended, issued, one, regenerated, rotated
from retinue.server.credentials import actions, queries
from retinue.server.credentials.queries import Credential
from retinue.server.policies.queries import in_force
from retinue.server.traffic import queries as traffic
from retinue.token import Kind

TAG = "ingest-tokens"
LIST, ONE = "/ingest-tokens", "/ingest-tokens/{token_id}"


class IngestFilter(schemas.ListQuery):
    """Filters of the list of ingest tokens."""

    state: State | None = None
    status: Status | None = None
    name: str | None = None


class IssueIngestToken(schemas.WithReason):
    """An ingest token to issue."""

    endpoints: list[str] = Field(
        description="Paths that it may write to; `/events/*` also covers what stands below. A token that is "
        "a part of the path is written `{token}`."
    )
    name: str | None = None
    expires: str | None = Field(None, description=EXPIRES)
    restrictions: Restrictions | None = None


@operation("GET", LIST, permission="ingest_token:read", response=KeyList, tag=TAG)
def list_ingest_tokens(call: Call, query: IngestFilter) -> schemas.JSON:
    """List the ingest tokens of the organization."""
    filters = query.filters()
    state = query.state or ("deleted" if query.status == "deleted" else None)
    rows = queries.credentials(call.organization, [Kind.INGEST], state=state, name=query.name)
    if query.status is not None:
        policy = in_force(call.organization)
        rows = queries.with_status(
            rows, query.status, call.now, used=traffic.used_credentials(), policy=policy
        )
    found, following = page(
        rows,
        Listing("ingest tokens", call.organization, filters, ("-issued_at", "-id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": render.keys(found, call.now), "next": following}


@operation("POST", LIST, permission="ingest_token:issue", response=IssuedKey, status=201, tag=TAG)
def issue_ingest_token(call: Call, body: IssueIngestToken) -> schemas.JSON:
    """Issue an ingest token, bound to its endpoints. The token stands in this answer and nowhere else."""
    made = actions.issue_ingest_token(
        call.tx,
        call.organization,
        endpoints=body.endpoints,
        name=body.name,
        expires=body.expires,
        restrictions=None if body.restrictions is None else body.restrictions.given(),
    )
    return issued(call, made)


@operation("GET", ONE, permission="ingest_token:read", response=Key, tag=TAG)
def get_ingest_token(call: Call, token_id: str) -> schemas.JSON:
    """Get an ingest token."""
    return one(call, _ingest(call, token_id))


@operation("PATCH", ONE, permission="ingest_token:issue", response=Key, tag=TAG)
def rename_ingest_token(call: Call, token_id: str, body: RenameKey) -> schemas.JSON:
    """Rename an ingest token; its id stays."""
    return one(call, actions.rename(call.tx, _ingest(call, token_id), body.name))


@operation(
    "POST",
    f"{ONE}/rotate",
    permission="ingest_token:rotate",
    response=IssuedKey,
    status=201,
    tag=TAG,
    reduces=True,
)
def rotate_ingest_token(call: Call, token_id: str, body: RotateKey) -> schemas.JSON:
    """Issue a successor of an ingest token; the old one is accepted beside it for the overlap."""
    return rotated(call, _ingest(call, token_id), body)


@operation(
    "POST", f"{ONE}/finish-rotation", permission="ingest_token:rotate", response=Key, tag=TAG, reduces=True
)
def finish_ingest_rotation(call: Call, token_id: str, body: schemas.WithReason) -> schemas.JSON:
    """End the overlap of a rotation now: the old token, which this answers, is refused from now on."""
    return one(call, actions.finish(call.tx, _ingest(call, token_id)))


@operation(
    "POST", f"{ONE}/regenerate", permission="ingest_token:rotate", response=IssuedKey, tag=TAG, reduces=True
)
def regenerate_ingest_token(call: Call, token_id: str, body: RegenerateKey) -> schemas.JSON:
    """Replace the secret of an ingest token under the same id."""
    return regenerated(call, _ingest(call, token_id), body)


@operation(
    "POST", f"{ONE}/expire", permission="ingest_token:revoke", response=ExpiringKey, tag=TAG, reduces=True
)
def expire_ingest_token(call: Call, token_id: str, body: ExpireKey) -> schemas.JSON:
    """Give an ingest token another end: now, earlier, or later as far as the policy allows."""
    return ended(call, *actions.expire(call.tx, _ingest(call, token_id), body.expires))


@operation("POST", f"{ONE}/restrict", permission="ingest_token:issue", response=Key, tag=TAG, reduces=True)
def restrict_ingest_token(call: Call, token_id: str, body: RestrictKey) -> schemas.JSON:
    """Narrow an ingest token to exactly these networks, endpoints, methods and times."""
    return one(call, actions.restrict(call.tx, _ingest(call, token_id), body.restrictions.given()))


@operation("POST", f"{ONE}/revoke", permission="ingest_token:revoke", response=Key, tag=TAG, reduces=True)
def revoke_ingest_token(call: Call, token_id: str, body: RevokeKey) -> schemas.JSON:
    """Revoke an ingest token."""
    token = _ingest(call, token_id)
    return one(call, actions.revoke(call.tx, token, reason=body.reason, text=body.text))


@operation("POST", f"{ONE}/restore", permission="ingest_token:revoke", response=Key, tag=TAG)
def restore_ingest_token(call: Call, token_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Restore an ingest token that was revoked, while that is possible, or that the policy suspended."""
    return one(call, actions.restore(call.tx, _ingest(call, token_id)))


@operation("DELETE", ONE, permission="ingest_token:delete", response=Key, tag=TAG, reduces=True)
def delete_ingest_token(call: Call, token_id: str, query: schemas.Reasoned) -> schemas.JSON:
    """Delete an ingest token that is revoked or expired; a tombstone stays."""
    return one(call, actions.delete(call.tx, _ingest(call, token_id)))


def _ingest(call: Call, token_id: str) -> Credential:
    return queries.credential(call.organization, token_id, Kind.INGEST, "ingest token")
