"""API keys: list, get, issue, rename, rotate, regenerate, revoke, delete."""

from typing import Literal

from ninja import Query

from retinue.server.api import render, schemas
from retinue.server.api.answers import instant
from retinue.server.api.cursors import page
from retinue.server.api.operations import Call, operation
from retinue.server.credentials import actions, queries
from retinue.server.credentials.queries import Credential
from retinue.server.credentials.rules import duration_seconds
from retinue.server.directory import queries as directory
from retinue.server.errors import Refused
from retinue.server.policies.native import policy_of

TAG = "keys"
_ONE = "/keys/{key_id}"


class KeyFilter(schemas.ListQuery):
    """Filters of the lists of keys."""

    account: str | None = None
    state: Literal["active", "suspended", "revoked", "deleted"] | None = None
    status: Literal["usable", "retiring", "expired", "revoked", "suspended"] | None = None
    name: str | None = None
    search: str | None = None


class AccountKeyFilter(schemas.ListQuery):
    """Filters of the list of an account's keys."""

    state: Literal["active", "suspended", "revoked", "deleted"] | None = None
    name: str | None = None


def _listed(call: Call, query: schemas.ListQuery, account: str | None = None) -> schemas.JSON:
    filters = query.model_dump(exclude={"limit", "cursor", "status"})
    if account is not None:
        filters["account"] = account
    rows = queries.keys(call.organization, **filters)
    status = getattr(query, "status", None)
    if status is not None:
        rows = queries.with_status(rows, status, call.now)
    found, following = page(
        rows,
        order=("-issued_at", "-id"),
        bound_to=f"keys|{call.organization}|{filters}|{status}",
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": render.keys(found, call.now), "next": following}


@operation("GET", "/keys", permission="credential:read", response=schemas.KeyList, tag=TAG)
def list_keys(call: Call, query: Query[KeyFilter]) -> schemas.JSON:
    """List the API keys of the organization."""
    return _listed(call, query)


@operation(
    "GET",
    "/service-accounts/{account_id}/keys",
    permission="credential:read",
    response=schemas.KeyList,
    tag=TAG,
)
def list_keys_of_account(call: Call, account_id: str, query: Query[AccountKeyFilter]) -> schemas.JSON:
    """List the API keys of a service account."""
    return _listed(call, query, directory.account(call.organization, account_id).id)


@operation(
    "POST",
    "/service-accounts/{account_id}/keys",
    permission="credential:issue",
    response=schemas.IssuedKey,
    status=201,
    tag=TAG,
)
def issue_key(call: Call, account_id: str, body: schemas.IssueKey) -> schemas.JSON:
    """Issue an API key. The token stands in this answer and nowhere else."""
    account = directory.account(call.organization, account_id)
    return _issued(call, actions.issue(call.tx, account, name=body.name, expires=body.expires))


@operation("GET", _ONE, permission="credential:read", response=schemas.Key, tag=TAG)
def get_key(call: Call, key_id: str) -> schemas.JSON:
    """Get an API key."""
    return _one(call, queries.key(call.organization, key_id))


@operation("PATCH", _ONE, permission="credential:rename", response=schemas.Key, tag=TAG)
def rename_key(call: Call, key_id: str, body: schemas.RenameKey) -> schemas.JSON:
    """Rename an API key; its id stays."""
    return _one(call, actions.rename(call.tx, queries.key(call.organization, key_id), body.name))


@operation(
    "POST",
    f"{_ONE}/rotate",
    permission="credential:rotate",
    response=schemas.IssuedKey,
    status=201,
    tag=TAG,
    own=True,
)
def rotate_key(call: Call, key_id: str, body: schemas.RotateKey) -> schemas.JSON:
    """Issue a successor of a key; the old key is accepted beside it for the overlap, then retires."""
    overlap = None if body.overlap is None else duration_seconds(body.overlap, "overlap", zero=True)
    return _issued(call, actions.rotate(call.tx, _own(call, key_id), overlap_seconds=overlap, name=body.name))


@operation(
    "POST",
    f"{_ONE}/regenerate",
    permission="credential:rotate",
    response=schemas.IssuedKey,
    tag=TAG,
    own=True,
)
def regenerate_key(call: Call, key_id: str, body: schemas.Nothing) -> schemas.JSON:
    """Replace the secret of a key under the same id; the old token is refused at once."""
    return _issued(call, actions.regenerate(call.tx, _own(call, key_id)))


@operation("POST", f"{_ONE}/revoke", permission="credential:revoke", response=schemas.Key, tag=TAG)
def revoke_key(call: Call, key_id: str, body: schemas.RevokeKey) -> schemas.JSON:
    """Revoke a key; a key that is revoked already stays as it is."""
    key = queries.key(call.organization, key_id)
    return _one(call, actions.revoke(call.tx, key, reason=body.reason, text=body.text))


@operation("DELETE", _ONE, permission="credential:delete", response=schemas.Key, tag=TAG)
def delete_key(call: Call, key_id: str) -> schemas.JSON:
    """Delete a revoked or expired key; a tombstone stays."""
    return _one(call, actions.delete(call.tx, queries.key(call.organization, key_id)))


def _own(call: Call, key_id: str) -> Credential:
    """Return the key to rotate. A service account may rotate its own without a permission, if the policy says so."""
    if not call.only_own:
        return queries.key(call.organization, key_id)
    allowed = policy_of(call.organization).credentials_self_rotation
    rows = queries.keys(call.organization, account=call.actor.id)
    key = rows.filter(kid=key_id.removeprefix("key_")).first() if allowed else None
    if key is None:
        raise Refused("permission_missing", "this needs credential:rotate", required=("credential:rotate",))
    return key


def _one(call: Call, key: Credential) -> schemas.JSON:
    return render.keys([key], call.now)[0]


def _issued(call: Call, issued: actions.Issued) -> schemas.JSON:
    call.credential = issued.credential.id
    return {
        "key": _one(call, issued.credential),
        "token": issued.token.reveal(),
        "expiry": {"at": instant(issued.expiry.at), "because": issued.expiry.because},
    }
