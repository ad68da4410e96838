"""How long a key may live, as people choose it: what the policy offers, and what it forbids."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from retinue.server.credentials.rules import bounds
from retinue.server.policies.policy import Policy
from retinue.token import Kind

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Choice:
    """One length: as it is sent, in words, its end (``None``: never), and why it is not to be had."""

    value: str
    label: str
    at: datetime | None
    is_default: bool
    why_not: str


def choices(policy: Policy, environment: str = "", kind: Kind = Kind.API_KEY) -> list[Choice]:
    """Return what is offered for keys of accounts in an environment, or for another kind of credential."""
    now, bound = timezone.now(), bounds(policy, kind, environment)
    offered = list(policy.expiry_choices)
    if bound.default_days not in offered:
        offered.insert(0, bound.default_days)
    if bound.may_never_end and None not in offered:
        offered.append(None)
    found = []
    for days in offered:
        why_not = ""
        if days is None and not bound.may_never_end:
            why_not = _("every credential expires here (expiry.required)")
        elif days is not None and bound.most is not None and days > bound.most:
            why_not = _("at most %(days)dd here (%(rule)s)") % {"days": bound.most, "rule": bound.because}
        found.append(_choice(days, now, why_not, is_default=days == bound.default_days))
    return found


def _choice(days: int | None, now: datetime, why_not: str, *, is_default: bool) -> Choice:
    if days is None:
        return Choice("never", _("never"), None, is_default, why_not)
    label = ngettext("%(days)d day", "%(days)d days", days) % {"days": days}
    return Choice(f"{days}d", label, now + timedelta(days=days), is_default, why_not)


def sent(choice: str, other: str) -> str | None:
    """Return what the API takes: the choice, or what was written beside it; a date ends with its day, UTC."""
    text = other.strip() if choice in ("", "other") else choice
    if _DATE.fullmatch(text):
        try:
            following = date.fromisoformat(text) + timedelta(days=1)
        except (ValueError, OverflowError):
            return text
        return datetime(following.year, following.month, following.day, tzinfo=UTC).isoformat()
    return text or None
