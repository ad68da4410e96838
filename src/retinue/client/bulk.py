"""One act on many objects: what the API answers, as types, and its operations."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType, field

from retinue.client.basics import Receipt
from retinue.client.credentials import IssuedKey
from retinue.client.operations import Operation


class BulkItem(Struct, kw_only=True):
    """What became, or would become, of one object."""

    id: str
    name: str | None = None
    result: str
    state: str | None = None
    code: str | None = None
    detail: str | None = None
    uses_24h: int = 0


class BulkResult(Struct, kw_only=True):
    """The result of one act on many objects."""

    preview: bool
    matched: int
    digest: str
    done: int
    unchanged: int
    refused: int
    items: list[BulkItem] = field(default_factory=list)
    receipt: Receipt | UnsetType = UNSET


class BulkRotated(BulkResult, kw_only=True):
    """The result of rotating many keys; ``issued`` is told once, and never by a preview."""

    issued: list[IssuedKey] | None = None


def _bulk(path: str, permission: str, reason: str = "reason") -> Operation[BulkResult]:
    return Operation("POST", f"/v1/bulk/{path}", permission, BulkResult, True, reason=reason)


ENABLE_ACCOUNTS = _bulk("service-accounts/enable", "service_account:enable")
DISABLE_ACCOUNTS = _bulk("service-accounts/disable", "service_account:disable")
DELETE_ACCOUNTS = _bulk("service-accounts/delete", "service_account:delete")
REVOKE_KEYS = _bulk("keys/revoke", "credential:revoke", reason="text")
DELETE_KEYS = _bulk("keys/delete", "credential:delete")
EXPIRE_KEYS = _bulk("keys/expire", "credential:expire")
RESTRICT_KEYS = _bulk("keys/restrict", "credential:restrict")
ROTATE_KEYS: Operation[BulkRotated] = Operation(
    "POST", "/v1/bulk/keys/rotate", "credential:rotate", BulkRotated, True
)
