"""Replacing secrets: a successor under a new id, or a new secret under the same one.

What is replaced is accepted beside it for an overlap, and never past its own end.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from retinue.server.access import actions as access
from retinue.server.credentials import issuing, owners, rules, writing
from retinue.server.credentials.models import Credential
from retinue.server.credentials.owners import Owner
from retinue.server.credentials.writing import Issued, Secret
from retinue.server.directory import rules as names
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Transaction
from retinue.token import Kind


def rotate(
    tx: Transaction,
    key: Credential,
    *,
    overlap_seconds: int | None = None,
    name: str | None = None,
    expires: str | None = None,
    is_compromised: bool = False,
    secret: Secret | None = None,
) -> Issued:
    """Issue a successor with a new id; ``key`` is accepted beside it for the overlap, then retires.

    The successor takes name and restrictions, unless another name is given. Refuses an overlap longer than
    the policy's, a key that is not usable, and one usable key too many. What is compromised ends at once.
    """
    owner = owners.of(key).locked()
    issuing.check_in_force(tx)
    key = Credential.objects.select_for_update(no_key=True).get(id=key.id)
    _check_mode(owner, key, "rotate", tx)
    _check_stronger(tx, owner, key)
    overlap = _overlap(overlap_seconds, owner.policy.rotation_overlap_seconds, is_compromised=is_compromised)
    chosen = key.name if name is None else names.check_name(name)
    present = owner.present(tx.now, chosen)
    if overlap > 0:
        owner.check_room(present, tx.now)
    owner.check_name_free(present, chosen, but=key)
    key.retires_at = _until(key, overlap, tx.now)
    key.retires_on_first_use = overlap > 0 and owner.policy.rotation_retire_on == "first_use"
    key.save()
    made = writing.make(
        tx,
        owner.organization_id,
        owner.principal,
        owner.kind,
        chosen,
        rules.expiry(expires, tx.now, owner.bounds),
        rotated_from=key.id,
        secret=secret,
        restrictions=dict(key.restrictions),
        claim=owner.claim(chosen),
    )
    key.rotated_to = made.credential.id
    if overlap == 0:
        writing.end(key, "compromised" if is_compromised else "superseded", "", tx)
    key.save()
    _say_rotated(tx, key)
    return made


def _say_rotated(tx: Transaction, key: Credential) -> None:
    after = {
        "state": key.state,
        "retires_at": writing.text(key.retires_at),
        "rotated_to": key.rotated_to,
    }
    if key.reason:
        after["reason_code"] = key.reason
    if key.retires_on_first_use:
        after["retires_on"] = "first_use"
    writing.say(tx, key, "rotated", before={"state": "active", "retires_at": None}, after=after)


def regenerate(
    tx: Transaction,
    key: Credential,
    *,
    overlap_seconds: int | None = None,
    is_compromised: bool = False,
    secret: Secret | None = None,
) -> Issued:
    """Replace the secret of a key under the same id.

    The old token is accepted for the overlap of the policy, which a call may shorten; without one it is
    refused from this commit on.
    """
    owner = owners.of(key).locked()
    issuing.check_in_force(tx)
    key = Credential.objects.select_for_update(no_key=True).get(id=key.id)
    _check_mode(owner, key, "regenerate", tx)
    _check_stronger(tx, owner, key)
    most = owner.policy.rotation_regenerate_overlap_seconds
    overlap = _overlap(overlap_seconds, most, is_compromised=is_compromised)
    if overlap > 0:
        writing.keep_previous(key, _until(key, overlap, tx.now), tx.now)
    else:
        key.previous = []
    key.regenerated_at = tx.now
    key.rotate_by = rules.rotate_by(tx.now, key.expires_at, owner.policy)
    secret = secret or writing.mint_secret(owner.policy, owner.kind, of=key)
    return writing.put_secret(tx, key, secret, f"{writing.noun(key)}.regenerated")


def reissue(tx: Transaction, credential_id: str, *, was_used: bool = False) -> Issued:
    """Replace the secret of a credential whose token was lost with the answer of the call that made it.

    ``was_used`` tells that the credential was used since. That may be its previous secret in the overlap
    after a regenerate: then the present one stays accepted for the rest of it, whoever has it. Refuses one
    that has ended since, and one whose only secret is in use.
    """
    key = Credential.objects.select_for_update(no_key=True).get(id=credential_id)
    if not rules.is_usable(key.state, key.expires_at, key.retires_at, tx.now):
        raise Refused("idempotency_used", f"{key.id} has ended since; issue another one")
    issuing.check_own_narrowness(tx, owners.of(key), key.restrictions)
    if was_used:
        until = max((datetime.fromisoformat(each["valid_until"]) for each in key.previous), default=tx.now)
        if until <= tx.now:
            raise Refused(
                "idempotency_used", "the token of the first answer is in use; rotate the credential instead"
            )
        writing.keep_previous(key, until, tx.now)
    secret = writing.mint_secret(owners.of(key).policy, Kind(key.kind), of=key)
    return writing.put_secret(tx, key, secret, f"{writing.noun(key)}.reissued")


def _until(key: Credential, overlap: int, now: datetime) -> datetime:
    """Return when a replaced secret ends: never past the credential's own end."""
    until = now + timedelta(seconds=overlap)
    return until if key.expires_at is None else min(until, key.expires_at)


def _overlap(asked: int | None, most: int, *, is_compromised: bool) -> int:
    """A call may shorten the overlap of the policy, never lengthen it. Seconds."""
    if is_compromised:
        if asked:
            raise Refused("invalid_value", "what is compromised ends at once", field="overlap")
        return 0
    if asked is not None and asked > most:
        raise Refused("invalid_value", f"the overlap is at most {most} seconds here", field="overlap")
    return most if asked is None else asked


def _check_mode(owner: Owner, key: Credential, mode: str, tx: Transaction) -> None:
    if mode not in owner.policy.rotation_modes:
        raise Refused("state_conflict", f"the organization's policy does not {mode} {owner.noun}s")
    if key.retires_at is not None or not rules.is_usable(key.state, key.expires_at, None, tx.now):
        raise Refused("state_conflict", f"{key.id} is not in use any more: issue a new {owner.noun}")


def _check_stronger(tx: Transaction, owner: Owner, key: Credential) -> None:
    issuing.check_own_narrowness(tx, owner, key.restrictions)
    if owner.principal is not None:
        access.check_stronger(tx.actor, owner.principal)
