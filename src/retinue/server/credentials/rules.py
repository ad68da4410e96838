"""The life of a credential: its expiry, its limits, its end. Pure functions; no database."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from retinue.server import instants
from retinue.server.errors import Refused
from retinue.server.policies.policy import Policy
from retinue.token import Kind

REVOKE_REASONS = (
    "compromised",
    "superseded",
    "no_longer_needed",
    "owner_left",
    "privilege_withdrawn",
    "account_deleted",
    "recovered",
    "other",
)
#: Reasons that a caller may give; the others are given by Retinue itself.
CALLER_REASONS = ("no_longer_needed", "owner_left", "privilege_withdrawn", "compromised", "other")
#: What was revoked for one of these is never restored.
FINAL_REASONS = frozenset({"compromised", "superseded", "account_deleted", "recovered"})
#: Why the policy suspended a credential; ``recovered``: it did so in a history that a restore lost.
CAUSES = ("idle", "role_changed", "permission_lost", "recovered")
NODE_CREDENTIAL_DAYS = 90
NAME_MAX = 255
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


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a credential may live: from which rule, and whether it may live for ever.

    ``most`` is the shortest maximum in days (``None``: no maximum) and ``because`` the rule that states it.
    """

    default_days: int | None
    most: int | None
    because: str
    may_never_end: bool


def bounds(policy: Policy, kind: Kind, environment: str = "") -> Bounds:
    """Return the bounds for credentials of ``kind``, of accounts that name ``environment``.

    The maximum of an environment, and that of personal access tokens, hold even where no expiry is required.
    """
    maxima = []
    if policy.expiry_max_days is not None:
        maxima.append((policy.expiry_max_days, "maximum"))
    binding = []
    if kind is Kind.API_KEY and environment in policy.expiry_by_environment:
        binding.append((policy.expiry_by_environment[environment], "environment"))
    if kind is Kind.PERSONAL and policy.pat_max_days is not None:
        binding.append((policy.pat_max_days, "personal_maximum"))
    days, because = min(maxima + binding, default=(None, "maximum"))
    may_never_end = not (policy.expiry_required or binding)
    return Bounds(policy.expiry_default_days, days, because, may_never_end)


def usual_days(bound: Bounds) -> int | None:
    """Return the lifetime of a credential for which none is asked; ``None``: for ever, or one must be."""
    if bound.default_days is None:
        return None if bound.may_never_end else bound.most
    return bound.default_days if bound.most is None else min(bound.default_days, bound.most)


def choices(policy: Policy, bound: Bounds) -> list[int | None]:
    """Return the lifetimes that a form offers and that are allowed, the shortest first; ``None`` is never.

    If none of them is allowed, the usual one is offered.
    """
    days = {each for each in policy.expiry_choices if each is not None}
    fit = sorted(each for each in days if bound.most is None or each <= bound.most)
    offered: list[int | None] = list(fit)
    if None in policy.expiry_choices and bound.may_never_end:
        offered.append(None)
    usual = usual_days(bound)
    return offered or ([] if usual is None else [usual])


def expiry(asked: str | None, now: datetime, bound: Bounds, field: str = "expires") -> Expiry:
    """Return the effective end of a credential issued now: the smaller of what is asked and the maximum.

    ``asked`` is a duration, an RFC 3339 instant, ``never``, or ``None`` for the default of the policy.
    """
    most = None if bound.most is None else now + timedelta(days=bound.most)
    if asked is None:
        return _default(now, most, bound, field)
    if asked == "never":
        if not bound.may_never_end:
            longest = "" if bound.most is None else f", after {bound.most}d at most"
            raise Refused("invalid_value", f"every credential expires here{longest}", field=field)
        return Expiry(None, "requested")
    if _DURATION.fullmatch(asked):
        return _capped(instants.later(now, duration_seconds(asked, field), field), most, bound)
    return _capped(_instant(asked, now, field), most, bound)


def _default(now: datetime, most: datetime | None, bound: Bounds, field: str) -> Expiry:
    if bound.default_days is not None:
        at = now + timedelta(days=bound.default_days)
        return Expiry(most, bound.because) if most is not None and at > most else Expiry(at, "default")
    if bound.may_never_end:
        return Expiry(None, "default")
    if most is None:
        raise Refused("missing_field", "every credential expires here: say when", field=field)
    return Expiry(most, bound.because)


def new_end(asked: str, issued: datetime, expires: datetime | None, now: datetime, bound: Bounds) -> Expiry:
    """Return the end that a credential issued at ``issued`` gets: earlier at will, later within the bounds.

    ``asked`` is ``now``, a duration from now, an instant, or ``never``. Refuses an end beyond the maximum.
    """
    if asked == "now":
        return Expiry(now, "requested")
    if asked == "never":
        return expiry(asked, now, bound)
    if _DURATION.fullmatch(asked):
        at = instants.later(now, duration_seconds(asked, "expires"), "expires")
    else:
        at = _instant(asked, now, "expires")
    is_later = expires is not None and at > expires
    if is_later and bound.most is not None and at > issued + timedelta(days=bound.most):
        longest = (issued + timedelta(days=bound.most)).isoformat(timespec="seconds")
        raise Refused(
            "invalid_value",
            f"a credential lives {bound.most}d at most here ({bound.because}): until {longest}",
            field="expires",
        )
    return Expiry(at, "requested")


def _instant(text: str, now: datetime, field: str) -> datetime:
    at = instants.read(text, field, "a duration such as 90d, an RFC 3339 instant, or never")
    if at <= now:
        raise Refused("invalid_value", "lies in the past", field=field)
    return at


def _capped(at: datetime, most: datetime | None, bound: Bounds) -> Expiry:
    return Expiry(most, bound.because) if most is not None and at > most else Expiry(at, "requested")


def rotate_by(issued: datetime, expires: datetime | None, policy: Policy) -> datetime | None:
    """Return when a credential should be rotated, ``None`` if never: the earlier of two instants.

    Some days before its end, at most a third of its life; and as many after its issue as the policy says.
    """
    due = []
    if expires is not None:
        due.append(expires - min(timedelta(days=policy.rotation_lead_days), (expires - issued) / 3))
    if policy.rotation_every_days is not None:
        due.append(issued + timedelta(days=policy.rotation_every_days))
    if not due:
        return None
    at = min(due)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def most_usable(policy: Policy, kind: Kind) -> int | None:
    """Return how many usable credentials of ``kind`` one owner may have; ``None``: no limit."""
    limits = {Kind.API_KEY: policy.credentials_max_usable, Kind.PERSONAL: policy.pat_max_usable}
    return limits.get(kind)


def is_usable(state: str, expires: datetime | None, retires: datetime | None, now: datetime) -> bool:
    """Tell whether a credential counts against the limit: active, not expired, not retired."""
    return state == "active" and (expires is None or now < expires) and (retires is None or now < retires)


def check_restorable(
    state: str, reason: str, revoked: datetime | None, now: datetime, hours: int | None
) -> None:
    """Refuse to restore what is neither revoked nor suspended, ended for good, or revoked too long ago.

    ``hours`` is the window: 0 is never, ``None`` for ever.
    """
    if state == "suspended":
        return
    if state != "revoked" or revoked is None:
        raise Refused("state_conflict", f"it is {state}: only what is revoked or suspended is restored")
    if reason in FINAL_REASONS:
        raise Refused("state_conflict", f"revoked as {reason}: that is final")
    if hours == 0:
        raise Refused("state_conflict", "a revoke is final here (revoke.restore_hours is 0)")
    if hours is not None and now - revoked >= timedelta(hours=hours):
        raise Refused("state_conflict", f"revoked more than {hours} hours ago: that is final")


def check_reason(reason: str, text: str) -> None:
    """Refuse a reason outside the closed set, and ``other`` without words."""
    if reason not in CALLER_REASONS:
        raise Refused("invalid_value", f"one of {', '.join(CALLER_REASONS)}", field="reason")
    if reason == "other" and not text.strip():
        raise Refused("missing_field", "the reason `other` needs words", field="text")
    if len(text) > 1024:
        raise Refused("invalid_value", "at most 1024 characters", field="text")
