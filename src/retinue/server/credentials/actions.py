"""What can be done to credentials: issue, rename, rotate, regenerate, revoke, delete.

The plain token exists in the answer of the call that makes it, and nowhere else: rows hold keyed digests.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection

from retinue.server.access import actions as access
from retinue.server.credentials import rules, writing
from retinue.server.credentials.models import Credential
from retinue.server.credentials.writing import Issued, peppers
from retinue.server.directory import actions as directory
from retinue.server.directory import rules as names
from retinue.server.directory.queries import Organization, Principal
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Transaction
from retinue.server.policies.policy import policy_of
from retinue.token import Kind

__all__ = ["Issued", "peppers"]

#: Every key that is issued asks this; putting it together in the ORM would take longer than the answer.
_PRESENT = """
SELECT id, name, name_folded, state, expires_at, retires_at FROM credentials_credential
WHERE principal_id = %s AND state IN ('active', 'suspended')
  AND ((name_folded = %s AND retires_at IS NULL)
    OR ((expires_at IS NULL OR expires_at > %s) AND (retires_at IS NULL OR retires_at > %s)))
ORDER BY issued_at, id
"""


def issue(
    tx: Transaction, account: Principal, *, name: str | None = None, expires: str | None = None
) -> Issued:
    """Issue an API key for a service account. ``expires`` as in :func:`rules.expiry`.

    Refuses a taken name, one key too many, a deleted account, an account that is stronger than the actor,
    and a service account that issues for itself.
    """
    if tx.actor.id == account.id:
        raise Refused("forbidden_for_service", "a service account never issues a key for itself; rotate one")
    access.check_stronger(tx.actor, account)
    policy = policy_of(account.organization_id)
    ends = rules.expiry(expires, tx.now, policy)
    account = _lock(account)
    name = _name(account, name, tx.now)
    present = _present(account, tx.now, name)
    _check_room(account, present, tx.now)
    _check_name_free(account, present, name)
    return writing.make(tx, account.organization_id, account, Kind.API_KEY, name, ends)


def issue_personal_token(tx: Transaction, user: Principal, *, name: str, days: int) -> Issued:
    """Issue a personal access token of a user, ``days`` long."""
    ends = rules.Expiry(tx.now + timedelta(days=days), "requested")
    return writing.make(tx, user.organization_id, user, Kind.PERSONAL, names.check_name(name), ends)


def issue_for_node(
    tx: Transaction, organization: Organization, name: str, *, rotated_from: str = ""
) -> Issued:
    """Issue the credential of a node, bound to the node's name."""
    ends = rules.Expiry(tx.now + timedelta(days=rules.NODE_CREDENTIAL_DAYS), "default")
    return writing.make(tx, organization.id, None, Kind.NODE, name, ends, rotated_from=rotated_from)


def reissue_for_node(tx: Transaction, credential_id: str) -> Issued:
    """Replace the secret of a node's new credential, whose token was lost with the answer."""
    key = Credential.objects.select_for_update().get(id=credential_id, kind=Kind.NODE.value)
    return writing.replace_secret(tx, key, "node_credential.reissued")


def rename(tx: Transaction, key: Credential, name: str) -> Credential:
    """Give a key another name; its id stays."""
    name = names.check_name(name)
    account = _lock(_principal(key))
    # What was read before the lock may have ended since, and would be written back with the name.
    key = Credential.objects.select_for_update().get(id=key.id)
    if key.state in ("revoked", "deleted"):
        raise Refused("state_conflict", f"{key.id} is {key.state}")
    if name == key.name:
        return key
    _check_name_free(account, _present(account, tx.now, name), name, but=key)
    before = key.name
    key.name, key.name_folded = name, names.fold(name)
    key.save()
    tx.record(
        "key.renamed",
        key.id,
        name=writing.called(key),
        organization=key.organization_id,
        before={"name": before},
        after={"name": name},
    )
    return key


def rotate(
    tx: Transaction, key: Credential, *, overlap_seconds: int | None = None, name: str | None = None
) -> Issued:
    """Issue a successor with a new id; ``key`` is accepted beside it for the overlap, then retires.

    The successor takes the name unless another is given. Refuses an overlap longer than the policy's, a
    key that is not usable, and one usable key too many.
    """
    account, policy = _lock(_principal(key)), policy_of(key.organization_id)
    key = Credential.objects.select_for_update().get(id=key.id)
    _check_mode(key, "rotate", tx)
    access.check_stronger(tx.actor, account)
    overlap = _overlap(overlap_seconds, policy.rotation_overlap_seconds)
    chosen = key.name if name is None else names.check_name(name)
    present = _present(account, tx.now, chosen)
    if overlap > 0:
        _check_room(account, present, tx.now)
    _check_name_free(account, present, chosen, but=key)
    retires = tx.now + timedelta(seconds=overlap)
    if key.expires_at is not None:
        retires = min(retires, key.expires_at)
    key.retires_at = retires
    key.save()
    made = writing.make(
        tx,
        account.organization_id,
        account,
        Kind.API_KEY,
        chosen,
        rules.expiry(None, tx.now, policy),
        rotated_from=key.id,
    )
    key.rotated_to = made.credential.id
    if overlap == 0:
        writing.end(key, "superseded", "", tx)
    key.save()
    after = {
        "state": key.state,
        "retires_at": writing.text(key.retires_at),
        "rotated_to": key.rotated_to,
    }
    writing.say(tx, key, "rotated", before={"state": "active", "retires_at": None}, after=after)
    return made


def _overlap(asked: int | None, most: int) -> int:
    """A call may shorten the overlap of the policy, never lengthen it. Seconds."""
    if asked is not None and asked > most:
        raise Refused("invalid_value", f"the overlap is at most {most} seconds here", field="overlap")
    return most if asked is None else asked


def regenerate(tx: Transaction, key: Credential) -> Issued:
    """Replace the secret of a key under the same id; the old token is refused from this commit on."""
    account = _lock(_principal(key))
    key = Credential.objects.select_for_update().get(id=key.id)
    _check_mode(key, "regenerate", tx)
    access.check_stronger(tx.actor, account)
    return writing.replace_secret(tx, key, "key.regenerated")


def reissue(tx: Transaction, credential_id: str) -> Issued:
    """Replace the secret of a credential whose token was lost with the answer of the call that made it.

    The caller has made sure that it was never used. Refuses one that has ended since.
    """
    key = Credential.objects.select_for_update().get(id=credential_id)
    if not rules.is_usable(key.state, key.expires_at, key.retires_at, tx.now):
        raise Refused("idempotency_used", f"{key.id} has ended since; issue another one")
    return writing.replace_secret(tx, key, "key.reissued")


def revoke(
    tx: Transaction, key: Credential, *, reason: str = "no_longer_needed", text: str = ""
) -> Credential:
    """End a key for good. A key that is revoked already stays as it is, except that compromise is noted."""
    rules.check_reason(reason, text)
    key = Credential.objects.select_for_update().get(id=key.id)
    if key.state == "deleted" or (key.state == "revoked" and not (reason == "compromised" != key.reason)):
        return key
    before = {"state": key.state, "reason": key.reason}
    writing.end(key, reason, text, tx)
    key.save()
    writing.say(
        tx, key, "revoked", before=before, after={"state": "revoked", "reason_code": reason, "reason": text}
    )
    return key


def delete(tx: Transaction, key: Credential) -> Credential:
    """Take a revoked or expired key out of the lists; a tombstone keeps its last reason."""
    key = Credential.objects.select_for_update().get(id=key.id)
    if key.state == "deleted":
        return key
    if key.state == "active" and rules.is_usable(key.state, key.expires_at, key.retires_at, tx.now):
        raise Refused("state_conflict", f"{key.id} is in use; revoke it first")
    if key.state in ("active", "suspended"):
        key.reason = "superseded" if key.retires_at is not None else "expired"
    before = {"state": key.state, "name": key.name}
    key.state = "deleted"
    key.deleted_at = tx.now
    key.save()
    writing.say(tx, key, "deleted", before=before, after={"state": "deleted", "reason_code": key.reason})
    return key


def delete_account(tx: Transaction, account: Principal, reason: str = "") -> Principal:
    """Delete a service account and revoke its credentials for good; one that is deleted stays as it is."""
    account = Principal.objects.select_for_update().get(id=account.id)
    if account.state == "deleted":
        return account
    live = Credential.objects.select_for_update().filter(principal=account, state__in=["active", "suspended"])
    for key in live:
        before = {"state": key.state, "reason": key.reason}
        writing.end(key, "account_deleted", "", tx)
        key.save()
        writing.say(
            tx, key, "revoked", before=before, after={"state": "revoked", "reason_code": "account_deleted"}
        )
    return directory.mark_deleted(tx, account, reason)


def restore_account(tx: Transaction, account: Principal, reason: str = "") -> Principal:
    """Restore a deleted account: disabled, with its grants, without its credentials."""
    return directory.mark_restored(tx, _lock(account), reason)


def revoke_for_node(tx: Transaction, credential_id: str, reason: str = "no_longer_needed") -> None:
    """End a credential of a node that is removed, or that has another one."""
    key = Credential.objects.select_for_update().get(id=credential_id, kind=Kind.NODE.value)
    if key.state != "active":
        return
    writing.end(key, reason, "", tx)
    key.save()
    after = {"state": "revoked", "reason_code": reason}
    writing.say(tx, key, "revoked", before={"state": "active"}, after=after)


def _principal(key: Credential) -> Principal:
    if key.principal is None:
        raise Refused("state_conflict", f"{key.id} belongs to no account")
    return key.principal


def _lock(account: Principal) -> Principal:
    """Hold the account's row until the commit: limits and names are decided one caller at a time."""
    locked = Principal.objects.select_for_update().get(id=account.id)
    if locked.state == "deleted" and account.state != "deleted":
        raise Refused("state_conflict", f"{locked.handle} was deleted meanwhile")
    return locked


def _present(account: Principal, now: datetime, name: str) -> list[Credential]:
    """Return the keys that count against the limit or bear the name, the oldest first, in one query."""
    at = connection.ops.adapt_datetimefield_value(now)
    return list(Credential.objects.raw(_PRESENT, [account.id, names.fold(name), at, at]))


def _check_room(account: Principal, present: list[Credential], now: datetime) -> None:
    """Refuse one usable key too many, naming the candidates to revoke."""
    if account.state == "deleted":
        raise Refused("state_conflict", f"{account.handle} is deleted")
    most = policy_of(account.organization_id).credentials_max_usable
    usable = [key for key in present if rules.is_usable(key.state, key.expires_at, key.retires_at, now)]
    if most is not None and len(usable) >= most:
        oldest = ", ".join(f"{key.name} ({key.id})" for key in usable[:3])
        raise Refused(
            "too_many_keys",
            f"{account.handle} has {len(usable)} usable keys, the limit is {most}; oldest: {oldest}",
        )


def _name(account: Principal, name: str | None, now: datetime) -> str:
    if name is not None:
        return names.check_name(name)
    if policy_of(account.organization_id).credentials_name.required:
        raise Refused("missing_field", "a key needs a name here", field="name")
    return f"key-{now:%Y%m%d-%H%M%S%f}"


def _check_name_free(
    account: Principal, present: list[Credential], name: str, *, but: Credential | None = None
) -> None:
    """Refuse a name that another key bears; a key that is being rotated or renamed may keep its own."""
    folded, own = names.fold(name), None if but is None else but.id
    for key in present:
        if key.name_folded == folded and key.retires_at is None and key.id != own:
            raise Refused(
                "duplicate_name", f"{account.handle} has a key named {name!r} already: {key.id}", field="name"
            )


def _check_mode(key: Credential, mode: str, tx: Transaction) -> None:
    policy = policy_of(key.organization_id)
    if mode not in policy.rotation_modes:
        raise Refused("state_conflict", f"the organization's policy does not {mode} keys")
    if key.retires_at is not None or not rules.is_usable(key.state, key.expires_at, None, tx.now):
        raise Refused("state_conflict", f"{key.id} is not in use any more: issue a new key")
