"""The one status of an account and of a credential: its state, and what a person must know about it.

Pure functions; no database. Console, API, command line and messages say what these say. The words are closed
sets, the most important first: of those that apply, the first one is the status.
"""

from __future__ import annotations

from datetime import datetime, timedelta

#: deleted: restorable for a time. disabled: none of its credentials work. ownerless: no owner who is still
#: here. idle: enabled, and not used for the days of the policy. attention: one of its keys needs action.
ACCOUNT_STATUSES = ("deleted", "disabled", "ownerless", "idle", "attention", "active")
#: blocked: its account is not enabled. retiring: replaced, and accepted until a time. expiring: its end is
#: within the first warning of the policy. idle: used once, and not for the days of the policy.
CREDENTIAL_STATUSES = (
    "deleted",
    "revoked",
    "expired",
    "suspended",
    "blocked",
    "retiring",
    "expiring",
    "never_used",
    "idle",
    "active",
)
#: What a key must be for its account to ask for attention.
NEEDS_ACTION = ("suspended", "expiring")


def account(
    *,
    state: str,
    owners: int,
    created_at: datetime,
    last_used_at: datetime | None,
    keys_needing_action: int,
    idle_days: int | None,
    now: datetime,
) -> str:
    """Return the status of an account.

    ``last_used_at`` is its last allowed request. One that was never used is idle ``idle_days`` after it was
    made; ``None`` means that nothing is idle here.
    """
    if state != "enabled":
        return state
    if not owners:
        return "ownerless"
    if is_idle(last_used_at or created_at, idle_days, now):
        return "idle"
    return "attention" if keys_needing_action else "active"


def credential(
    *,
    state: str,
    expires_at: datetime | None,
    retires_at: datetime | None,
    owner_state: str,
    last_used_at: datetime | None,
    warn_days: int,
    idle_days: int | None,
    now: datetime,
    lost_permission: bool = False,
) -> str:
    """Return the status of a credential.

    ``owner_state`` is that of whom it belongs to; ``warn_days`` the first warning before an end;
    ``lost_permission`` tells that its user may hold none any more.
    """
    if state in ("deleted", "revoked"):
        return state
    if retires_at is not None and retires_at <= now:
        return "revoked"
    if expires_at is not None and expires_at <= now:
        return "expired"
    if state == "suspended" or lost_permission:
        return "suspended"
    if owner_state != "enabled":
        return "blocked"
    if retires_at is not None:
        return "retiring"
    if expires_at is not None and expires_at - now <= timedelta(days=warn_days):
        return "expiring"
    if last_used_at is None:
        return "never_used"
    return "idle" if is_idle(last_used_at, idle_days, now) else "active"


def is_idle(since: datetime, days: int | None, now: datetime) -> bool:
    """Tell whether something unused since an instant is idle by now."""
    return days is not None and since + timedelta(days=days) <= now
