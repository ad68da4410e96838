"""API keys: list, get, issue, rename, restrict, rotate, regenerate, expire, revoke, restore, delete."""

from __future__ import annotations

from retinue.server.api import render, schemas
from retinue.server.api.accounts import ONE as ACCOUNT
from retinue.server.api.credential_schemas import (
    AccountKeyFilter,
    ExpireKey,
    ExpiringKey,
    ExtendRotation,
    IssuedKey,
    IssueKey,
    Key,
    KeyFilter,
    KeyList,
    RegenerateKey,
    RenameKey,
    RestrictKey,
    RevokeKey,
    RotateKey,
)
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Call, operation
from retinue.server.api.secrets_told import ended, held, issued, one, regenerated, rotated
from retinue.server.credentials import actions, queries, rules
from retinue.server.directory import queries as directory
from retinue.server.errors import NotFound
from retinue.server.policies.queries import in_force, policy_of
from retinue.server.traffic import queries as traffic

TAG = "keys"
LIST, ONE = "/keys", "/keys/{key_id}"


@operation("GET", LIST, permission="credential:read", response=KeyList, tag=TAG)
def list_keys(call: Call, query: KeyFilter) -> schemas.JSON:
    """List the API keys of the organization."""
    account = None if query.account is None else directory.id_of(call.organization, query.account)
    return _listed(call, query, account)


@operation("GET", f"{ACCOUNT}/keys", permission="credential:read", response=KeyList, tag=TAG)
def list_keys_of_account(call: Call, account_id: str, query: AccountKeyFilter) -> schemas.JSON:
    """List the API keys of a service account."""
    return _listed(call, query, directory.account(call.organization, account_id).id)


@operation("POST", f"{ACCOUNT}/keys", permission="credential:issue", response=IssuedKey, status=201, tag=TAG)
def issue_key(call: Call, account_id: str, body: IssueKey) -> schemas.JSON:
    """Issue an API key. The token stands in this answer and nowhere else; or the caller made it."""
    account = directory.account(call.organization, account_id)
    restrictions = None if body.restrictions is None else body.restrictions.given()
    secret = held(call, body.digest)
    return issued(
        call,
        actions.issue(
            call.tx, account, name=body.name, expires=body.expires, restrictions=restrictions, secret=secret
        ),
    )


@operation("GET", ONE, permission="credential:read", response=Key, tag=TAG)
def get_key(call: Call, key_id: str) -> schemas.JSON:
    """Get an API key."""
    return one(call, queries.key(call.organization, key_id))


@operation("PATCH", ONE, permission="credential:rename", response=Key, tag=TAG)
def rename_key(call: Call, key_id: str, body: RenameKey) -> schemas.JSON:
    """Rename an API key; its id stays."""
    return one(call, actions.rename(call.tx, queries.key(call.organization, key_id), body.name))


def _own_rotator(call: Call, key_id: str) -> str | None:
    """Return the account that the key belongs to, if accounts rotate their own keys here."""
    if not policy_of(call.organization).credentials_self_rotation:
        return None
    # What is good for minutes must not become what is good for years.
    if call.caller is not None and call.caller.access_until_ms:
        return None
    try:
        return queries.key(call.organization, key_id).principal_id
    except NotFound:
        return None


@operation(
    "POST",
    f"{ONE}/rotate",
    permission="credential:rotate",
    or_own=_own_rotator,
    response=IssuedKey,
    status=201,
    tag=TAG,
    reduces=True,
)
def rotate_key(call: Call, key_id: str, body: RotateKey) -> schemas.JSON:
    """Issue a successor of a key; the old key is accepted beside it for the overlap, then retires."""
    return rotated(call, queries.key(call.organization, key_id), body)


@operation(
    "POST",
    f"{ONE}/finish-rotation",
    permission="credential:rotate",
    or_own=_own_rotator,
    response=Key,
    tag=TAG,
    reduces=True,
)
def finish_rotation(call: Call, key_id: str, body: schemas.WithReason) -> schemas.JSON:
    """End the overlap of a rotation now: the old key, which this answers, is refused from now on."""
    return one(call, actions.finish(call.tx, queries.key(call.organization, key_id)))


# Not for the account itself: a token that was replaced because others may have it must not keep itself alive.
@operation("POST", f"{ONE}/extend-rotation", permission="credential:rotate", response=Key, tag=TAG)
def extend_rotation(call: Call, key_id: str, body: ExtendRotation) -> schemas.JSON:
    """Let the old key of a running rotation, which this answers, be accepted for longer."""
    key = queries.key(call.organization, key_id)
    return one(call, actions.extend(call.tx, key, rules.duration_seconds(body.by, "by")))


@operation(
    "POST", f"{ONE}/undo-rotation", permission="credential:rotate", response=Key, tag=TAG, reduces=True
)
def undo_rotation(call: Call, key_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Take a running rotation back: the old key, which this answers, stays, and the new one is revoked."""
    return one(call, actions.undo(call.tx, queries.key(call.organization, key_id)))


@operation(
    "POST",
    f"{ONE}/regenerate",
    permission="credential:rotate",
    or_own=_own_rotator,
    response=IssuedKey,
    tag=TAG,
    reduces=True,
)
def regenerate_key(call: Call, key_id: str, body: RegenerateKey) -> schemas.JSON:
    """Replace the secret of a key under the same id; the old token is accepted for the policy's overlap."""
    return regenerated(call, queries.key(call.organization, key_id), body)


@operation(
    "POST", f"{ONE}/expire", permission="credential:expire", response=ExpiringKey, tag=TAG, reduces=True
)
def expire_key(call: Call, key_id: str, body: ExpireKey) -> schemas.JSON:
    """Give a key another end: now, earlier, or later as far as the policy allows."""
    return ended(call, *actions.expire(call.tx, queries.key(call.organization, key_id), body.expires))


@operation("POST", f"{ONE}/restrict", permission="credential:restrict", response=Key, tag=TAG, reduces=True)
def restrict_key(call: Call, key_id: str, body: RestrictKey) -> schemas.JSON:
    """Narrow a key to exactly these networks, endpoints, methods and times."""
    key = queries.key(call.organization, key_id)
    return one(call, actions.restrict(call.tx, key, body.restrictions.given()))


@operation("POST", f"{ONE}/revoke", permission="credential:revoke", response=Key, tag=TAG, reduces=True)
def revoke_key(call: Call, key_id: str, body: RevokeKey) -> schemas.JSON:
    """Revoke a key; a key that is revoked already stays as it is."""
    key = queries.key(call.organization, key_id)
    return one(call, actions.revoke(call.tx, key, reason=body.reason, text=body.text))


@operation("POST", f"{ONE}/restore", permission="credential:revoke", response=Key, tag=TAG)
def restore_key(call: Call, key_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Restore a key that was revoked, while that is possible, or that the policy suspended."""
    return one(call, actions.restore(call.tx, queries.key(call.organization, key_id)))


@operation("DELETE", ONE, permission="credential:delete", response=Key, tag=TAG, reduces=True)
def delete_key(call: Call, key_id: str, query: schemas.Reasoned) -> schemas.JSON:
    """Delete a revoked or expired key, or one in use if the policy says so; a tombstone stays."""
    return one(call, actions.delete(call.tx, queries.key(call.organization, key_id)))


def _listed(call: Call, query: AccountKeyFilter, account: str | None) -> schemas.JSON:
    filters = {**query.filters(), "account": account}
    named = {name: value for name, value in filters.items() if name != "status"}
    if query.status == "deleted":
        named["state"] = named["state"] or "deleted"
    rows = queries.keys(call.organization, **named)
    if query.status is not None:
        rows = queries.with_status(
            rows, query.status, call.now, used=traffic.used_credentials(), policy=in_force(call.organization)
        )
    found, following = page(
        rows,
        Listing("keys", call.organization, filters, ("-issued_at", "-id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": render.keys(found, call.now), "next": following}
