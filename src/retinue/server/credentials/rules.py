"""The life of a credential: its one status, its expiry, its limits. Pure functions; no database."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from retinue.server.errors import Refused
from retinue.server.policies.policy import Policy

REVOKE_REASONS = (
    "compromised",
    "superseded",
    "no_longer_needed",
    "owner_left",
    "privilege_withdrawn",
    "account_deleted",
    "other",
)
#: Reasons that a caller may give; the others are given by Retinue itself.
CALLER_REASONS = ("no_longer_needed", "owner_left", "privilege_withdrawn", "compromised", "other")
NODE_CREDENTIAL_DAYS = 90
NAME_MAX = 255
STATUSES = (
    "deleted",
    "revoked",
    "expired",
    "suspended",
    "blocked",
    "retiring",
    "expiring",
    "never_used",
    "active",
)

_DURATION = re.compile(r"([1-9][0-9]{0,8})([smhd])", re.ASCII)
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Expiry:
    """When a credential ends (``None``: never), and which rule decided it."""

    at: datetime | None
    because: str


def duration_seconds(text: str, field: str, *, zero: bool = False) -> int:
    """Read ``15m``, ``24h``, ``90d`` as seconds; ``0s`` only where ``zero`` allows it."""
    if zero and text in ("0s", "now"):
        return 0
    match = _DURATION.fullmatch(text)
    if match is None:
        raise Refused("invalid_value", f"{text!r}: a duration such as 15m, 24h or 90d", field=field)
    return int(match[1]) * _UNIT_SECONDS[match[2]]


def expiry(asked: str | None, now: datetime, policy: Policy, field: str = "expires") -> Expiry:
    """Return the effective end of a credential issued now: the smaller of what is asked and the maximum.

    ``asked`` is a duration, an RFC 3339 instant, ``never``, or ``None`` for the default of the policy.
    """
    most = None if policy.expiry_max_days is None else now + timedelta(days=policy.expiry_max_days)
    if asked is None:
        if policy.expiry_default_days is None:
            return Expiry(most, "default" if most is None else "maximum")
        return _capped(now + timedelta(days=policy.expiry_default_days), most, "default")
    if asked == "never":
        if most is not None:
            raise Refused(
                "invalid_value",
                f"every credential expires here, after {policy.expiry_max_days}d at most",
                field=field,
            )
        return Expiry(None, "requested")
    if _DURATION.fullmatch(asked):
        return _capped(_later(now, duration_seconds(asked, field), field), most, "requested")
    return _capped(_instant(asked, now, field), most, "requested")


def _later(now: datetime, seconds: int, field: str) -> datetime:
    try:
        return now + timedelta(seconds=seconds)
    except OverflowError:
        raise Refused("invalid_value", "too far in the future", field=field) from None


def _instant(text: str, now: datetime, field: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(
            "invalid_value", f"{text!r}: a duration such as 90d, an RFC 3339 instant, or never", field=field
        ) from None
    if at.tzinfo is None:
        raise Refused("invalid_value", "an instant needs its zone, such as 2027-01-31T00:00:00Z", field=field)
    if at <= now:
        raise Refused("invalid_value", "lies in the past", field=field)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _capped(at: datetime, most: datetime | None, because: str) -> Expiry:
    return Expiry(most, "maximum") if most is not None and at > most else Expiry(at, because)


def rotate_by(issued: datetime, expires: datetime | None, policy: Policy) -> datetime | None:
    """Return when a credential should be rotated: some days before its end, at most a third of its life."""
    if expires is None:
        return None
    lead = min(timedelta(days=policy.rotation_lead_days), (expires - issued) / 3)
    at = expires - lead
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def is_usable(state: str, expires: datetime | None, retires: datetime | None, now: datetime) -> bool:
    """Tell whether a credential counts against the limit: active, not expired, not retired."""
    return state == "active" and (expires is None or now < expires) and (retires is None or now < retires)


def status(
    *,
    state: str,
    expires_at: datetime | None,
    retires_at: datetime | None,
    owner_state: str,
    used: bool,
    now: datetime,
    policy: Policy,
) -> str:
    """The one status of a credential, the most important first; ``owner_state`` is its account's."""
    if state in ("deleted", "revoked"):
        return state
    if retires_at is not None and retires_at <= now:
        return "revoked"
    if expires_at is not None and expires_at <= now:
        return "expired"
    if state == "suspended":
        return "suspended"
    if owner_state != "enabled":
        return "blocked"
    if retires_at is not None:
        return "retiring"
    if expires_at is not None and expires_at - now <= timedelta(days=max(policy.expiry_warn_days, default=0)):
        return "expiring"
    return "active" if used else "never_used"


def check_reason(reason: str, text: str) -> None:
    """Refuse a reason outside the closed set, and ``other`` without words."""
    if reason not in CALLER_REASONS:
        raise Refused("invalid_value", f"one of {', '.join(CALLER_REASONS)}", field="reason")
    if reason == "other" and not text.strip():
        raise Refused("missing_field", "the reason `other` needs words", field="text")
    if len(text) > 1024:
        raise Refused("invalid_value", "at most 1024 characters", field="text")
