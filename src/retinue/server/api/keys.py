"""API keys: list, get, issue, rename, rotate, regenerate, revoke, delete."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from retinue.server.api import render, schemas
from retinue.server.api.accounts import ONE as ACCOUNT
from retinue.server.api.answers import instant
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Call, operation
from retinue.server.credentials import actions, queries
from retinue.server.credentials.queries import Credential
from retinue.server.credentials.rules import duration_seconds
from retinue.server.directory import queries as directory
from retinue.server.errors import NotFound
from retinue.server.policies.policy import policy_of
from retinue.server.traffic import queries as traffic

TAG = "keys"
LIST, ONE = "/keys", "/keys/{key_id}"
State = Literal["active", "suspended", "revoked", "deleted"]
Status = Literal[
    "active",
    "never_used",
    "expiring",
    "retiring",
    "expired",
    "blocked",
    "suspended",
    "revoked",
    "deleted",
    "usable",
]


class Key(schemas.Answer):
    """A credential. It never holds the token."""

    id: str
    key_id: str
    kind: Literal["api_key", "personal_access_token"]
    account: schemas.PrincipalRef
    name: str
    display: str
    state: State
    status: str
    reason: str | None
    reason_text: str | None
    issued_at: str
    issued_by: schemas.PrincipalRef | None
    expires_at: str | None
    retires_at: str | None
    rotated_from: str | None
    rotated_to: str | None
    revoked_at: str | None
    revoked_by: schemas.PrincipalRef | None
    first_used_at: str | None
    last_used_at: str | None
    use_count: int


class KeyList(schemas.Answer):
    """A page of credentials, the newest first."""

    items: list[Key]
    next: str | None


class EffectiveExpiry(schemas.Answer):
    """When a credential ends, and which rule decided it."""

    at: str | None
    because: str


class IssuedKey(schemas.Answer):
    """A key with its token, which is shown here and never again."""

    key: Key
    token: str
    expiry: EffectiveExpiry


class AccountKeyFilter(schemas.ListQuery):
    """Filters of the list of an account's keys."""

    state: State | None = None
    status: Status | None = None
    name: str | None = None
    search: str | None = None


class KeyFilter(AccountKeyFilter):
    """Filters of the organization's list of keys."""

    account: str | None = Field(None, description="Id or handle of an account.")


class IssueKey(schemas.WithReason):
    """A key to issue."""

    name: str | None = None
    expires: str | None = Field(None, description="A duration (`90d`), an RFC 3339 instant, or `never`.")


class RenameKey(schemas.WithReason):
    """Another name for a key."""

    name: str


class RotateKey(schemas.WithReason):
    """A rotation."""

    overlap: str | None = Field(None, description="How long the old key is still accepted: `24h`, `0s`.")
    name: str | None = None


class RevokeKey(schemas.WithReason):
    """Why a credential ends: the kind of reason, and the reason in words."""

    reason: str = "no_longer_needed"
    text: schemas.Reason = ""

    @property
    def why(self) -> str:
        """What the events of the change give as its reason."""
        return self.text


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
    """Issue an API key. The token stands in this answer and nowhere else."""
    account = directory.account(call.organization, account_id)
    return _issued(call, actions.issue(call.tx, account, name=body.name, expires=body.expires))


@operation("GET", ONE, permission="credential:read", response=Key, tag=TAG)
def get_key(call: Call, key_id: str) -> schemas.JSON:
    """Get an API key."""
    return _one(call, queries.key(call.organization, key_id))


@operation("PATCH", ONE, permission="credential:rename", response=Key, tag=TAG)
def rename_key(call: Call, key_id: str, body: RenameKey) -> schemas.JSON:
    """Rename an API key; its id stays."""
    return _one(call, actions.rename(call.tx, queries.key(call.organization, key_id), body.name))


def _own_rotator(call: Call, key_id: str) -> str | None:
    """Return the account that the key belongs to, if accounts rotate their own keys here."""
    if not policy_of(call.organization).credentials_self_rotation:
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
    key = queries.key(call.organization, key_id)
    overlap = None if body.overlap is None else duration_seconds(body.overlap, "overlap", zero=True)
    return _issued(call, actions.rotate(call.tx, key, overlap_seconds=overlap, name=body.name))


@operation(
    "POST",
    f"{ONE}/regenerate",
    permission="credential:rotate",
    or_own=_own_rotator,
    response=IssuedKey,
    tag=TAG,
    reduces=True,
)
def regenerate_key(call: Call, key_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Replace the secret of a key under the same id; the old token is refused at once."""
    return _issued(call, actions.regenerate(call.tx, queries.key(call.organization, key_id)))


@operation("POST", f"{ONE}/revoke", permission="credential:revoke", response=Key, tag=TAG, reduces=True)
def revoke_key(call: Call, key_id: str, body: RevokeKey) -> schemas.JSON:
    """Revoke a key; a key that is revoked already stays as it is."""
    key = queries.key(call.organization, key_id)
    return _one(call, actions.revoke(call.tx, key, reason=body.reason, text=body.text))


@operation("DELETE", ONE, permission="credential:delete", response=Key, tag=TAG, reduces=True)
def delete_key(call: Call, key_id: str, query: schemas.Reasoned) -> schemas.JSON:
    """Delete a revoked or expired key; a tombstone stays."""
    return _one(call, actions.delete(call.tx, queries.key(call.organization, key_id)))


def _listed(call: Call, query: AccountKeyFilter, account: str | None) -> schemas.JSON:
    filters = {**query.filters(), "account": account}
    named = {name: value for name, value in filters.items() if name != "status"}
    if query.status == "deleted":
        named["state"] = named["state"] or "deleted"
    rows = queries.keys(call.organization, **named)
    if query.status is not None:
        rows = queries.with_status(
            rows, query.status, call.now, used=traffic.used_credentials(), policy=policy_of(call.organization)
        )
    found, following = page(
        rows,
        Listing("keys", call.organization, filters, ("-issued_at", "-id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": render.keys(found, call.now), "next": following}


def _one(call: Call, key: Credential) -> schemas.JSON:
    return render.keys([key], call.now)[0]


def _issued(call: Call, issued: actions.Issued) -> schemas.JSON:
    call.credential = issued.credential.id
    return {
        "key": _one(call, issued.credential),
        "token": issued.token.reveal(),
        "expiry": {"at": instant(issued.expiry.at), "because": issued.expiry.because},
    }
