"""Ends again what a restored database brought back to life. Only ever takes away; the words say why."""

from __future__ import annotations

from datetime import UTC, datetime

from retinue.replica import records
from retinue.server.credentials import ending, writing
from retinue.server.credentials.models import Credential
from retinue.server.ledger.transaction import Transaction
from retinue.token import Kind

#: The reason of what is ended again. It is final: why it had ended is not known any more.
REASON = "recovered"


def find(kid: str) -> Credential | None:
    """Return the credential with a key id, locked."""
    found = Credential.objects.select_for_update(of=("self",), no_key=True).filter(kid=kid)
    return found.select_related("principal").first()


def end(tx: Transaction, key: Credential, why: str, *, is_deleted: bool = False) -> list[str]:
    """Revoke a credential that is in force, and delete it if it was deleted; return what was done."""
    done = []
    if key.state in ("active", "suspended"):
        if key.kind == Kind.SETUP.value:
            writing.end(key, REASON, why, tx)
            writing.say(tx, key, "replaced", before={"state": "active"}, after={"state": "revoked"})
        else:
            ending.end(tx, key, REASON, why)
        done.append("revoked")
    if is_deleted and key.state == "revoked" and key.kind == Kind.API_KEY.value:
        key.state, key.deleted_at = "deleted", tx.now
        before, after = (
            {"state": "revoked", "name": key.name},
            {"state": "deleted", "reason_code": key.reason},
        )
        writing.say(tx, key, "deleted", before=before, after=after)
        done.append("deleted")
    if done:
        key.save()
    return done


def suspend(tx: Transaction, key: Credential) -> list[str]:
    """Suspend a credential that was suspended; return what was done."""
    return ["suspended"] if ending.suspend(tx, key, REASON) else []


def shorten(tx: Transaction, key: Credential, theirs: records.Credential) -> list[str]:
    """Let a credential end as early as ``theirs`` does; never shortens nothing. Return what was done."""
    done = []
    before = {"expires_at": writing.text(key.expires_at), "retires_at": writing.text(key.retires_at)}
    expires, retires = _instant(theirs.expires_at_ms), _instant(theirs.retires_at_ms)
    if expires is not None and (key.expires_at is None or expires < key.expires_at):
        key.expires_at = expires
        done.append("expiry shortened")
    if retires is not None and (key.retires_at is None or retires < key.retires_at):
        key.retires_at = retires
        done.append("retirement shortened")
    if theirs.has_expired and not key.has_expired:
        key.has_expired = True
        done.append("expired")
    if done:
        key.save()
        after = {"expires_at": writing.text(key.expires_at), "retires_at": writing.text(key.retires_at)}
        writing.say(tx, key, "expiry_shortened", before=before, after=after)
    return done


def _instant(ms: int) -> datetime | None:
    return datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000) if ms else None
