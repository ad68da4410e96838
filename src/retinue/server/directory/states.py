"""The states of users and service accounts: enabled, disabled, deleted, and back. One function, one event.

Each reads the row again, locked: what was read before may have been disabled or deleted since, and would be
written back as it was.
"""

from __future__ import annotations

from retinue.replica.records import Kind
from retinue.server.directory import approval, rules, uniqueness
from retinue.server.directory.models import Principal
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Transaction
from retinue.server.policies.queries import policy_of


def held(account: Principal) -> Principal:
    """Return a principal as it is now, its row locked until the commit."""
    return Principal.objects.select_for_update(no_key=True).get(id=account.id)


def enable(tx: Transaction, account: Principal) -> Principal:
    """Enable a disabled account; its credentials work again as far as they were not ended themselves."""
    account = held(account)
    check_alive(account)
    approval.check_not_waiting(account)
    if account.state == "enabled":
        return account
    return _set_state(tx, account, "enabled", "enabled", "")


def approve(tx: Transaction, account: Principal) -> Principal:
    """Let a new account be used. Refuses its creator, and what does not wait."""
    account = held(account)
    approval.check_approver(tx, account)
    account.awaits_approval = False
    return _set_state(tx, account, "enabled", "approved", "")


def disable(tx: Transaction, account: Principal, reason: str = "") -> Principal:
    """Disable an account: a gate, nothing is written on its credentials."""
    account = held(account)
    check_alive(account)
    if account.state == "disabled":
        return account
    return _set_state(tx, account, "disabled", "disabled", reason)


def mark_deleted(tx: Transaction, account: Principal, reason: str = "") -> Principal:
    """Leave a tombstone. Its credentials end in the same transaction: ``credentials.actions`` does both."""
    account.deleted_at = tx.now
    return _set_state(tx, account, "deleted", "deleted", reason)


def mark_restored(tx: Transaction, account: Principal, reason: str = "") -> Principal:
    """Bring a deleted account back, disabled, within the days that the policy allows."""
    policy = policy_of(account.organization_id)
    uniqueness.lock(account.organization_id)
    uniqueness.check_room(account.organization_id, policy)
    if account.state != "deleted" or account.deleted_at is None:
        raise Refused("state_conflict", f"{account.handle} is {account.state}, not deleted")
    if (tx.now - account.deleted_at).total_seconds() >= policy.accounts_restore_days * 86_400:
        raise Refused("state_conflict", f"deleted {policy.accounts_restore_days} days ago or more: for good")
    account.deleted_at = None
    usual = approval.WAITS if account.awaits_approval else "restored"
    return _set_state(tx, account, "disabled", "restored", reason or usual)


def _set_state(tx: Transaction, account: Principal, state: str, verb: str, reason: str) -> Principal:
    rules.check_line(reason, "reason")
    if len(reason) > 1024:
        raise Refused("invalid_value", "at most 1024 characters", field="reason")
    before = account.state
    account.state = state
    account.state_reason = reason
    account.updated_at = tx.now
    account.save()
    after = {"state": state, "handle": account.handle} | ({"reason": reason} if reason else {})
    noun = "user" if account.kind == Principal.USER else "account"
    tx.record(
        f"{noun}.{verb}",
        account.id,
        name=account.handle,
        organization=account.organization_id,
        before={"state": before},
        after=after,
    )
    tx.touch(Kind.PRINCIPAL, account.id)
    return account


def check_alive(account: Principal) -> None:
    """Refuse a change of an account that is deleted."""
    if account.state == "deleted":
        raise Refused("state_conflict", f"{account.handle} is deleted; restore it first")
