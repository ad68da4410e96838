"""A rotation that runs: its overlap ends by hand or by use, lasts longer, or the rotation is taken back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from retinue.server.access import actions as access
from retinue.server.credentials import issuing, owners, rules, writing
from retinue.server.credentials.models import Credential
from retinue.server.credentials.owners import Owner
from retinue.server.errors import Refused
from retinue.server.instants import later
from retinue.server.ledger.transaction import Transaction


def finish(tx: Transaction, key: Credential) -> Credential:
    """End a running rotation by hand: the predecessor, whichever of the two ``key`` is, retires now."""
    old = _predecessor(key)
    if _is_running(old, tx):
        _retire(tx, old)
    return old


def extend(tx: Transaction, key: Credential, seconds: int) -> Credential:
    """Let the predecessor of a running rotation be accepted for so many seconds more, and return it.

    ``key`` is either of the two. Refuses more than the policy's overlap since the rotation, or than the
    predecessor's own end.
    """
    owner = owners.of(key).locked()
    issuing.check_in_force(tx)
    old = _running(tx, key)
    _check_stronger(tx, owner, old)
    until = later(old.retires_at or tx.now, seconds, "by")
    most = owner.policy.rotation_overlap_seconds
    latest = _successor(old).issued_at + timedelta(seconds=most)
    if until > latest:
        detail = f"until {writing.text(latest)} at most: an overlap is at most {most} seconds here"
        raise Refused("invalid_value", f"{detail} (rotation.overlap_seconds)", field="by")
    if old.expires_at is not None and until > old.expires_at:
        raise Refused("invalid_value", f"{old.id} ends at {writing.text(old.expires_at)}", field="by")
    before = {"retires_at": writing.text(old.retires_at)}
    old.retires_at = until
    old.save()
    writing.say(tx, old, "overlap_extended", before=before, after={"retires_at": writing.text(until)})
    return old


def undo(tx: Transaction, key: Credential) -> Credential:
    """Take a running rotation back, and return the predecessor: it no longer retires; its successor ends.

    ``key`` is either of the two. Refuses where the overlap is over, where the successor was itself rotated,
    and where another credential has taken the predecessor's name meanwhile.
    """
    owner = owners.of(key).locked()
    issuing.check_in_force(tx)
    old = _running(tx, key)
    _check_stronger(tx, owner, old)
    new = _successor(old)
    if new.rotated_to:
        raise Refused("state_conflict", f"its successor {new.id} was rotated: take that back first")
    if new.state in ("active", "suspended"):
        before = {"state": new.state}
        writing.end(new, "superseded", "", tx)
        new.save()
        after = {"state": "revoked", "reason_code": "superseded", "rotated_from": old.id}
        writing.say(tx, new, "revoked", before=before, after=after)
    owner.check_name_free(owner.present(tx.now, old.name), old.name, but=old)
    before_retiring = {"retires_at": writing.text(old.retires_at), "rotated_to": old.rotated_to}
    old.retires_at, old.retires_on_first_use, old.rotated_to = None, False, ""
    old.name_claim = owner.claim(old.name)
    old.save()
    kept = {"retires_at": None, "rotated_to": None}
    writing.say(tx, old, "rotation_undone", before=before_retiring, after=kept)
    return old


def retire_used(tx: Transaction, ids: Iterable[str]) -> list[Credential]:
    """Retire those predecessors that wait for the first use of their successor, which has happened."""
    rows = Credential.objects.select_for_update(no_key=True).filter(
        id__in=list(ids), state="active", retires_on_first_use=True, retires_at__gt=tx.now
    )
    retired = list(rows.order_by("id"))
    for key in retired:
        _retire(tx, key)
    return retired


def _retire(tx: Transaction, key: Credential) -> None:
    before = {"state": key.state, "retires_at": writing.text(key.retires_at)}
    key.retires_at, key.retires_on_first_use = tx.now, False
    writing.end(key, "superseded", "", tx)
    key.save()
    after = {"state": "revoked", "reason_code": "superseded", "rotated_to": key.rotated_to}
    writing.say(tx, key, "revoked", before=before, after=after)


def _predecessor(key: Credential) -> Credential:
    """Return the predecessor, locked, of the rotation that ``key`` is part of; refuse if there is none."""
    old_id = key.id if key.rotated_to else key.rotated_from
    old = Credential.objects.select_for_update(no_key=True).filter(id=old_id).first()
    if old is None or not old.rotated_to or key.id not in (old.id, old.rotated_to):
        raise Refused("state_conflict", f"{key.id} is not being rotated")
    return old


def _successor(old: Credential) -> Credential:
    return Credential.objects.select_for_update(no_key=True).get(id=old.rotated_to)


def _running(tx: Transaction, key: Credential) -> Credential:
    """Return the predecessor as :func:`_predecessor` does; refuse if its overlap is over."""
    old = _predecessor(key)
    if not _is_running(old, tx) or not rules.is_usable(old.state, old.expires_at, None, tx.now):
        raise Refused("state_conflict", f"the overlap of {old.id} is over: what has retired stays so")
    return old


def _is_running(old: Credential, tx: Transaction) -> bool:
    return old.state == "active" and old.retires_at is not None and old.retires_at > tx.now


def _check_stronger(tx: Transaction, owner: Owner, old: Credential) -> None:
    """What lets a credential live longer needs what handing it out needs; it does not do so itself."""
    if tx.actor.credential == old.id:
        raise Refused("state_conflict", f"{old.id}, which calls, was replaced; use another credential")
    issuing.check_own_narrowness(tx, owner, old.restrictions)
    if owner.principal is not None:
        access.check_stronger(tx.actor, owner.principal)
