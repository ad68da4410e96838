"""How credentials end, and come back: expire, narrow, suspend, revoke, restore, delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

from retinue.server.access import actions as access
from retinue.server.credentials import issuing, narrowing, owners, rules, writing
from retinue.server.credentials.models import Credential
from retinue.server.directory import actions as directory
from retinue.server.directory.queries import Principal
from retinue.server.errors import NotFound, Refused
from retinue.server.ledger.transaction import Transaction
from retinue.server.policies.queries import policy_of
from retinue.server.prepared import Prepared
from retinue.token import Kind


def expire(tx: Transaction, key: Credential, asked: str) -> tuple[Credential, rules.Expiry]:
    """Give a credential another end, ``now`` included: earlier at will, later within the policy's bounds.

    ``asked`` as in :func:`rules.new_end`. What has expired stays so.
    """
    owner = owners.of(key).locked()
    key = Credential.objects.select_for_update(no_key=True).get(id=key.id)
    is_usable = rules.is_usable("active", key.expires_at, key.retires_at, tx.now) and not key.has_expired
    if not is_usable or key.state not in ("active", "suspended"):
        raise Refused("state_conflict", f"{key.id} has ended already")
    end = rules.new_end(asked, key.issued_at, key.expires_at, tx.now, owner.bounds)
    if end.at == key.expires_at:
        return key, end
    is_earlier = end.at is not None and (key.expires_at is None or end.at < key.expires_at)
    if not is_earlier and owner.principal is not None:
        access.check_stronger(tx.actor, owner.principal)
    before = {"expires_at": writing.text(key.expires_at)}
    key.expires_at = end.at
    key.has_expired = end.at is not None and end.at <= tx.now
    key.rotate_by = rules.rotate_by(key.regenerated_at or key.issued_at, end.at, owner.policy)
    key.save()
    verb = "expiry_shortened" if is_earlier else "expiry_extended"
    writing.say(tx, key, verb, before=before, after={"expires_at": writing.text(end.at)})
    return key, end


def restrict(
    tx: Transaction, key: Credential, given: Mapping[str, Any], *, others_stay: bool = False
) -> Credential:
    """Narrow a credential to exactly these restrictions. What admits more than before needs the ceiling.

    With ``others_stay`` the kinds of restrictions that are left out stay as they are.
    """
    owner = owners.of(key).locked()
    key = Credential.objects.select_for_update(no_key=True).get(id=key.id)
    if key.state not in ("active", "suspended"):
        raise Refused("state_conflict", f"{key.id} is {key.state}")
    before = dict(key.restrictions)
    asked = {**before, **given} if others_stay else given
    wanted = issuing.check_restrictions(owner, asked, kept=before)
    if owner.kind is Kind.INGEST and not wanted.get("endpoints"):
        raise Refused("missing_field", "an ingest token names its endpoints", field="restrictions.endpoints")
    if wanted == before:
        return key
    if not narrowing.is_within(wanted, before) and owner.principal is not None:
        issuing.check_own_narrowness(tx, owner, wanted)
        access.check_stronger(tx.actor, owner.principal)
    key.restrictions = wanted
    key.save()
    verb = "widened" if narrowing.is_within(before, wanted) else "restricted"
    writing.say(tx, key, verb, before={"restrictions": before}, after={"restrictions": wanted})
    return key


def suspend(tx: Transaction, key: Credential, cause: str) -> bool:
    """Suspend a credential because the policy says so; ``cause`` is one of :data:`rules.CAUSES`.

    ``key`` is locked by the caller. Tells whether it was active until now.
    """
    if not rules.is_usable(key.state, key.expires_at, key.retires_at, tx.now):
        return False
    key.state, key.reason, key.reason_text, key.suspended_at = "suspended", cause, "", tx.now
    key.save()
    writing.say(
        tx, key, "suspended", before={"state": "active"}, after={"state": "suspended", "reason_code": cause}
    )
    return True


_LOCKED = Prepared(
    lambda ident: (
        Credential.objects.select_for_update(no_key=True, of=("self",))
        .select_related("principal", "organization")
        .filter(id=ident)
    )
)


# One statement, past the ORM: what takes access away is waited for, and may be of thousands.
_END = """
UPDATE credentials_credential
SET state = %s, reason = %s, reason_text = %s, revoked_at = %s, revoked_by = %s WHERE id = %s
"""


#: Credentials in one statement.
_AT_ONCE = 10_000


def _locked(key: Credential) -> Credential:
    found = _LOCKED.first(key.id)
    if found is None:
        raise NotFound("credential", key.id)
    return found


def revoke(
    tx: Transaction, key: Credential, *, reason: str = "no_longer_needed", text: str = ""
) -> Credential:
    """End a credential. One that is revoked already stays as it is, except that compromise is noted."""
    rules.check_reason(reason, text)
    key = _locked(key)
    if key.state == "deleted" or (key.state == "revoked" and not (reason == "compromised" != key.reason)):
        return key
    end(tx, key, reason, text)
    return key


def end(tx: Transaction, key: Credential, reason: str, text: str = "") -> None:
    """Revoke a credential that the caller has locked, and not changed."""
    at = connection.ops.adapt_datetimefield_value(tx.now)
    with connection.cursor() as cursor:
        cursor.execute(_END, ["revoked", reason, text, at, tx.actor.id, key.id])
    _say_ended(tx, key, reason, text)


def end_many(tx: Transaction, keys: Sequence[Credential], reason: str, text: str = "") -> None:
    """Revoke credentials that the caller has locked, and not changed, by a few statements."""
    for start in range(0, len(keys), _AT_ONCE):
        Credential.objects.filter(id__in=[key.id for key in keys[start : start + _AT_ONCE]]).update(
            state="revoked", reason=reason, reason_text=text, revoked_at=tx.now, revoked_by=tx.actor.id
        )
    for key in keys:
        _say_ended(tx, key, reason, text)


def _say_ended(tx: Transaction, key: Credential, reason: str, text: str) -> None:
    before = {"state": key.state, "reason": key.reason}
    writing.end(key, reason, text, tx)
    after = {"state": "revoked", "reason_code": reason} | ({"reason": text} if text else {})
    writing.say(tx, key, "revoked", before=before, after=after)


def restore(tx: Transaction, key: Credential) -> Credential:
    """Bring back what was revoked, in time and not for good, or suspended. Its expiry stays.

    Limit and name are decided again. Refuses what expired or was superseded meanwhile.
    """
    owner = owners.of(key).locked()
    key = Credential.objects.select_for_update(no_key=True).get(id=key.id)
    rules.check_restorable(
        key.state, key.reason, key.revoked_at, tx.now, policy_of(key.organization_id).revoke_restore_hours
    )
    if not rules.is_usable("active", key.expires_at, key.retires_at, tx.now):
        raise Refused("state_conflict", f"{key.id} has expired or was superseded meanwhile")
    if owner.kind is Kind.PERSONAL:
        issuing.check_personal_tokens(owner)
    present = [each for each in owner.present(tx.now, key.name) if each.id != key.id]
    owner.check_room(present, tx.now)
    if key.retires_at is None:
        owner.check_name_free(present, key.name, but=key)
    before = {"state": key.state, "reason_code": key.reason}
    key.state, key.reason, key.reason_text = "active", "", ""
    key.revoked_at, key.revoked_by, key.suspended_at, key.restored_at = None, "", None, tx.now
    key.name_claim = owner.claim(key.name)
    key.save()
    writing.say(tx, key, "restored", before=before, after={"state": "active"})
    return key


def delete(tx: Transaction, key: Credential) -> Credential:
    """Take a revoked or expired credential out of the lists; a tombstone keeps its last reason.

    One in use is refused, or revoked in the same step where the policy says so.
    """
    key = Credential.objects.select_for_update(no_key=True).get(id=key.id)
    if key.state == "deleted":
        return key
    has_ended = key.state == "revoked" or not rules.is_usable(
        "active", key.expires_at, key.retires_at, tx.now
    )
    if not has_ended:
        if policy_of(key.organization_id).revoke_delete_requires_revoked:
            raise Refused("state_conflict", f"{key.id} is in use; revoke it first")
        end(tx, key, "no_longer_needed")
    elif key.state in ("active", "suspended"):
        is_retired = key.retires_at is not None and key.retires_at <= tx.now
        key.reason = "superseded" if is_retired else "expired"
    before = {"state": key.state, "name": key.name}
    key.state = "deleted"
    key.deleted_at = tx.now
    key.save()
    writing.say(tx, key, "deleted", before=before, after={"state": "deleted", "reason_code": key.reason})
    return key


def end_all_of(tx: Transaction, principal: Principal, reason: str = "account_deleted") -> int:
    """Revoke every credential of a principal, whose row the caller has locked; return how many."""
    live = Credential.objects.select_for_update(no_key=True).filter(
        principal=principal, state__in=["active", "suspended", "revoked"]
    )
    ended = 0
    for key in live.order_by("id"):
        if key.state == "revoked" and key.reason in rules.FINAL_REASONS:
            continue
        end(tx, key, reason)
        ended += 1
    return ended


def delete_account(tx: Transaction, account: Principal, reason: str = "") -> Principal:
    """Delete a service account and revoke its credentials for good; one that is deleted stays as it is."""
    account = Principal.objects.select_for_update(no_key=True).get(id=account.id)
    if account.state == "deleted":
        return account
    end_all_of(tx, account)
    return directory.mark_deleted(tx, account, reason)


def restore_account(tx: Transaction, account: Principal, reason: str = "") -> Principal:
    """Restore a deleted account: disabled, with its grants, without its credentials."""
    account = Principal.objects.select_for_update(no_key=True).get(id=account.id)
    return directory.mark_restored(tx, account, reason)


def revoke_for_node(tx: Transaction, credential_id: str, reason: str = "no_longer_needed") -> None:
    """End a credential of a node that is removed, or that has another one."""
    key = Credential.objects.select_for_update(no_key=True).get(id=credential_id, kind=Kind.NODE.value)
    if key.state != "active":
        return
    writing.end(key, reason, "", tx)
    key.save()
    after = {"state": "revoked", "reason_code": reason}
    writing.say(tx, key, "revoked", before={"state": "active"}, after=after)
