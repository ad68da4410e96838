"""``Idempotency-Key``: a repeated change answers again and happens once.

The record commits with the change. It never holds a token: a retry whose answer held one gets a new
secret for the same credential, as long as that credential was not used since.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.http import HttpRequest

from retinue.server.access import actions as access
from retinue.server.api.models import IdempotencyRecord
from retinue.server.credentials import actions as credentials
from retinue.server.credentials.queries import Credential, by_ids
from retinue.server.directory.rules import check_no_token
from retinue.server.errors import Refused
from retinue.server.ledger.pruning import delete_some
from retinue.server.ledger.transaction import Transaction
from retinue.server.nodes import queries as nodes
from retinue.server.traffic import queries as traffic
from retinue.server.traffic import recorder

HEADER = "Idempotency-Key"
KEEP = timedelta(days=1)
#: What is told once and cannot be made anew by a repetition: secrets of webhooks, keys of many.
_ONCE = ("secret", "issued")


@dataclass(frozen=True, slots=True)
class Replay:
    """The answer of the first call, with a new secret where it held a token."""

    status: int
    body: dict[str, Any]
    revision: int


def key_of(request: HttpRequest) -> str | None:
    """Return the key of a request. Refuses one outside 1 to 255 visible ASCII characters, and a token."""
    key: str | None = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is not None and not re.fullmatch(r"[\x21-\x7e]{1,255}", key, re.ASCII):
        raise Refused("invalid_value", "1 to 255 visible ASCII characters", field=f"header.{HEADER}")
    if key is not None:
        check_no_token(key, f"header.{HEADER}")
    return key


def fingerprint(request: HttpRequest, sent: object) -> str:
    """Return what two requests must share to be the same: method, address, and the meaning of the body."""
    body = json.dumps(sent, sort_keys=True)
    parts = (request.method or "", request.get_full_path(), body)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def look(principal: str, key: str) -> None:
    """Before a call that may repeat an answer with a token: store every use of that token here until now."""
    if IdempotencyRecord.objects.filter(principal=principal, key=key).exclude(credential="").exists():
        recorder.store_all()


def claim(tx: Transaction, key: str, operation: str, mark: str) -> Replay | None:
    """Take ``key`` for this change (``None``), or return the answer of the first call.

    Of concurrent calls with one key the second waits here, because the row is unique and stays locked
    until the first has committed or given up.
    """
    IdempotencyRecord.objects.filter(principal=tx.actor.id, key=key, created_at__lt=tx.now - KEEP).delete()
    record, is_new = IdempotencyRecord.objects.get_or_create(
        principal=tx.actor.id,
        key=key,
        defaults={"operation": operation, "fingerprint": mark, "created_at": tx.now},
    )
    if is_new:
        return None
    if record.fingerprint != mark or record.operation != operation:
        raise Refused(
            "idempotency_conflict", "this key was used for another request", field=f"header.{HEADER}"
        )
    return Replay(record.status, _with_new_secret(tx, record), record.revision)


def _with_new_secret(tx: Transaction, record: IdempotencyRecord) -> dict[str, Any]:
    body: dict[str, Any] = dict(record.body)
    if record.credential:
        credential = by_ids([record.credential])[record.credential]
        # An operator who founds another organization hands out more than operators hold.
        is_own = credential.organization_id == tx.actor.organization
        if credential.principal is not None and is_own:
            access.check_stronger(tx.actor, credential.principal)
        was_used = _was_used_since(record, credential)
        body["token"] = credentials.reissue(tx, record.credential, was_used=was_used).token.reveal()
    return body


def _was_used_since(record: IdempotencyRecord, credential: Credential) -> bool:
    used = traffic.usage([record.credential]).get(record.credential)
    # Any use of a credential that the first call made, whatever a node's clock said of it.
    if used is not None and max(used.last_used_at, credential.issued_at) >= record.created_at:
        return True
    node = nodes.by_credential(record.credential)
    return node is not None and nodes.views([node])[0].last_contact_at is not None


def remember(tx: Transaction, key: str, status: int, body: Any, credential: str) -> None:
    """Keep the answer, without its token, and the revision that the commit will take."""
    kept = {
        name: None if name in _ONCE else value
        for name, value in msgspec.to_builtins(body).items()
        if name != "token" or value is None
    }
    rows = IdempotencyRecord.objects.filter(principal=tx.actor.id, key=key)
    rows.update(status=status, body=kept, credential=credential)
    tx.at_revision(lambda revision: rows.update(revision=revision))


def prune(now: datetime, most: int) -> int:
    """Delete at most ``most`` records that are no longer answered from; return how many went."""
    return delete_some(IdempotencyRecord.objects.filter(created_at__lt=now - KEEP), most)
