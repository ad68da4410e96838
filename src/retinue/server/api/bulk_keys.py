"""Revoke or delete many API keys at once."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from retinue.server.api import bulk, schemas
from retinue.server.api.credential_schemas import State, Status
from retinue.server.api.operations import Call, operation
from retinue.server.credentials import actions, queries, writing
from retinue.server.credentials.queries import Credential
from retinue.server.directory import queries as directory
from retinue.server.policies.queries import in_force
from retinue.server.traffic import queries as traffic

TAG = "bulk"
PATH = "/bulk/keys"


class KeysWhere(schemas.Body):
    """Which keys: as the filters of their list."""

    account: str | None = None
    state: State | None = None
    status: Status | None = None
    search: str | None = None


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

    return bulk.run(call, body, _keys(call, body), act, _shown, "credential")


@operation(
    "POST", f"{PATH}/delete", permission="credential:delete", response=bulk.BulkResult, tag=TAG, reduces=True
)
def delete_keys(call: Call, body: BulkKeys) -> schemas.JSON:
    """Delete many revoked or expired API keys; tombstones stay."""

    def act(key: Credential) -> Credential | None:
        return None if key.state == "deleted" else actions.delete(call.tx, key)

    return bulk.run(call, body, _keys(call, body), act, _shown, "credential")


def _keys(call: Call, body: BulkKeys) -> list[Credential]:
    if body.where is None:
        ids = {queries.key(call.organization, ident).id for ident in body.keys}
    else:
        filters: dict[str, Any] = body.where.model_dump()
        status, account = filters.pop("status"), filters["account"]
        if account is not None:
            filters["account"] = directory.id_of(call.organization, account)
        rows = queries.keys(call.organization, **filters)
        if status is not None:
            policy, used = in_force(call.organization), traffic.used_credentials()
            rows = queries.with_status(rows, status, call.now, used=used, policy=policy)
        ids = set(rows.values_list("id", flat=True)[: bulk.MOST + 1])
    bulk.check_meant(body, body.keys, body.where, len(ids))
    found = queries.by_ids(ids)
    return [found[ident] for ident in sorted(found)]


def _shown(key: Credential) -> tuple[str, str | None, str | None]:
    return key.id, writing.called(key), key.state
