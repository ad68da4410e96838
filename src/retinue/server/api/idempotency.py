"""``Idempotency-Key``: a repeated change answers again and happens once.

The record commits with the change. It never holds a token: a retry whose answer held one gets a new
secret for the same credential, as long as that credential was never used.
"""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Any

from retinue.server.api.models import IdempotencyRecord
from retinue.server.credentials import actions as credentials
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Transaction
from retinue.server.traffic.queries import was_used

KEEP = timedelta(days=1)


def check(key: str) -> str:
    """Refuse a key outside 1 to 255 visible ASCII characters."""
    if not re.fullmatch(r"[\x21-\x7e]{1,255}", key, re.ASCII):
        raise Refused("invalid_value", "1 to 255 visible ASCII characters", field="header.Idempotency-Key")
    return key


def fingerprint(method: str, path: str, body: bytes) -> str:
    """Return what two requests must share to be the same request."""
    return hashlib.sha256(b"\n".join([method.encode(), path.encode(), body])).hexdigest()


def claim(tx: Transaction, key: str, operation: str, mark: str) -> tuple[IdempotencyRecord, bool]:
    """Take ``key`` for this request, or find the record of the first one.

    Returns (record, is new). Concurrent requests with one key wait for each other here, because the row
    is unique and stays locked until the commit.
    """
    IdempotencyRecord.objects.filter(principal=tx.actor.id, key=key, created_at__lt=tx.now - KEEP).delete()
    record, made = IdempotencyRecord.objects.get_or_create(
        principal=tx.actor.id,
        key=key,
        defaults={"operation": operation, "fingerprint": mark, "created_at": tx.now},
    )
    if not made and record.fingerprint != mark:
        raise Refused(
            "idempotency_conflict", "this key was used for another request", field="header.Idempotency-Key"
        )
    return record, made


def replay(tx: Transaction, record: IdempotencyRecord) -> dict[str, Any]:
    """Return the body of the first answer, with a new secret where it held a token."""
    body: dict[str, Any] = dict(record.body)
    if record.credential:
        if was_used(record.credential):
            raise Refused("idempotency_used", "the key of that answer is in use; rotate it instead")
        body["token"] = credentials.reissue(tx, record.credential).token.reveal()
    return body


def remember(record: IdempotencyRecord, status: int, body: dict[str, Any], credential: str) -> None:
    """Keep the answer, without its token."""
    record.status = status
    record.body = {name: value for name, value in body.items() if name != "token"}
    record.credential = credential
    record.save()
