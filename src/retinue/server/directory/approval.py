"""Four eyes on new service accounts (``accounts.approval``): one waits, disabled, for a second principal."""

from __future__ import annotations

from retinue.server.directory.models import Principal
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Transaction
from retinue.server.policies.policy import Policy

#: What the status of an account says for as long as it waits.
WAITS = "waits for approval"
FOUR_EYES = "four_eyes"


def begin(policy: Policy, *, is_first: bool) -> dict[str, object]:
    """Return the fields with which an account begins: enabled, or waiting for a second principal.

    The first account of an organization never waits: nobody is there who could approve it.
    """
    if is_first or policy.accounts_approval != FOUR_EYES:
        return {"state": "enabled"}
    return {"state": "disabled", "state_reason": WAITS, "awaits_approval": True}


def check_not_waiting(account: Principal) -> None:
    """Refuse to enable what a second principal has not approved, also when the policy changed meanwhile."""
    if account.awaits_approval:
        raise Refused("approval_required", f"{account.handle} waits until a second principal approves it")


def check_approver(tx: Transaction, account: Principal) -> None:
    """Refuse to approve what does not wait, and an approver who created the account or is the account."""
    if account.state == "deleted" or not account.awaits_approval:
        raise Refused("state_conflict", f"{account.handle} is {account.state} and waits for nobody")
    if tx.actor.id in (account.created_by, account.id):
        raise Refused("approval_required", "a second principal approves: not who created the account")
