"""Revoke or delete many API keys at once."""

from __future__ import annotations

from pydantic import Field

from retinue.server.api import bulk, schemas
from retinue.server.api.credential_schemas import State, Status
from retinue.server.api.credentials import DAYS_MAX, FormatName, found
from retinue.server.api.operations import Call, operation
from retinue.server.credentials import actions, queries, writing
from retinue.server.credentials.queries import Credential
from retinue.server.directory import queries as directory
from retinue.token import Kind

TAG = "bulk"
PATH = "/bulk/keys"


class KeysWhere(schemas.Body):
    """Which keys: as the filters of the list of credentials."""

    account: str | None = Field(None, description="Id or handle of an account.")
    accounts: list[str] = Field(
        [], max_length=bulk.MOST, description="All keys of these, each by id or handle."
    )
    state: State | None = None
    status: Status | None = None
    format: FormatName | None = None
    name: str | None = None
    search: str | None = None
    used_within: int | None = Field(None, ge=1, le=DAYS_MAX, description="Used in these days.")
    unused_for: int | None = Field(
        None, ge=1, le=DAYS_MAX, description="Neither used nor issued in these days."
    )
    expires_within: int | None = Field(None, ge=1, le=DAYS_MAX, description="Ends in these days.")


class BulkKeys(bulk.Bulk):
    """API keys, by id, or by a filter."""

    keys: list[str] = Field([], max_length=bulk.MOST)
    where: KeysWhere | None = None


class BulkRevoke(BulkKeys):
    """Keys, and why they end: the kind of reason, and the reason in words."""

    reason: str = "no_longer_needed"
    text: schemas.Reason = ""

    @property
    def why(self) -> str:
        """What the events of the change give as its reason."""
        return self.text


@operation(
    "POST", f"{PATH}/revoke", permission="credential:revoke", response=bulk.BulkResult, tag=TAG, reduces=True
)
def revoke_keys(call: Call, body: BulkRevoke) -> schemas.JSON:
    """Revoke many API keys."""

    def act(key: Credential) -> Credential | None:
        if key.state in ("revoked", "deleted"):
            return None
        return actions.revoke(call.tx, key, reason=body.reason, text=body.text)

    return bulk.run(call, body, keys(call, body), act, shown, "credential")


@operation(
    "POST", f"{PATH}/delete", permission="credential:delete", response=bulk.BulkResult, tag=TAG, reduces=True
)
def delete_keys(call: Call, body: BulkKeys) -> schemas.JSON:
    """Delete many revoked or expired API keys; tombstones stay."""

    def act(key: Credential) -> Credential | None:
        return None if key.state == "deleted" else actions.delete(call.tx, key)

    return bulk.run(call, body, keys(call, body), act, shown, "credential")


def keys(call: Call, body: BulkKeys) -> list[Credential]:
    """Return the keys that are meant, by id."""
    bulk.check_named(body, body.keys, body.where)
    if body.where is None:
        ids = {queries.key(call.organization, ident).id for ident in body.keys}
    else:
        rows = found(call, [Kind.API_KEY], body.where.model_dump(exclude={"accounts"}))
        if body.where.accounts:
            held = [directory.id_of(call.organization, text) for text in body.where.accounts]
            rows = rows.filter(principal_id__in=held)
        ids = set(rows.values_list("id", flat=True)[: bulk.MOST + 1])
    bulk.check_meant(body, ids)
    known = queries.by_ids(ids)
    return [known[ident] for ident in sorted(known)]


def shown(key: Credential) -> tuple[str, str | None, str | None]:
    """Return id, name and state of a key, as results list it."""
    return key.id, writing.called(key), key.state
