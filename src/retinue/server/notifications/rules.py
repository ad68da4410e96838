"""Who is told what, when, and how often it is tried. Pure functions; no database."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from retinue.server.errors import Refused

#: Tries of one message, and the pauses between them: a day in all. Afterwards it is listed as failed.
PAUSES = tuple(timedelta(seconds=each) for each in (10, 60, 300, 1800, 7200, 21600, 50400))
ATTEMPTS_MOST = len(PAUSES) + 1
#: A pause is longer by up to this share, so that what failed together is not tried together.
JITTER = 0.2
EVENTS_MOST, WEBHOOKS_MOST = 50, 20
#: After a rotation the secret before signs as well for so long, at most.
OVERLAP_MOST = timedelta(days=7)
OVERLAP_USUAL_SECONDS = 86_400

#: What is said of an ended credential that nobody was told of in time: not of those that ended long ago.
LATE = timedelta(days=7)
EXPIRED = 0
_PATTERN = re.compile(r"\*|[a-z_]+\.(?:\*|[a-z_]+)", re.ASCII)

OWNER, TEAM, ADMINISTRATORS = "owner", "team", "administrators"


def check_events(patterns: Sequence[str], known: Collection[str], field: str = "events") -> list[str]:
    """Return patterns of event names, each once; refuses what fits no event of the catalogue."""
    if not patterns:
        raise Refused("missing_field", "which events, such as key.* or *", field=field)
    if len(patterns) > EVENTS_MOST:
        raise Refused("invalid_value", f"at most {EVENTS_MOST}", field=field)
    for place, each in enumerate(patterns):
        if not _PATTERN.fullmatch(each) or not any(matches([each], name) for name in known):
            raise Refused(
                "invalid_value", "`*`, a name of the audit log, or `key.*`", field=f"{field}.{place}"
            )
    return list(dict.fromkeys(patterns))


def matches(patterns: Collection[str], event: str) -> bool:
    """Tell whether an event is one of those that are wanted."""
    noun = event.partition(".")[0]
    return not {"*", event, f"{noun}.*"}.isdisjoint(patterns)


def pause(attempts: int, draw: float) -> timedelta | None:
    """Return how long to wait after so many tries; ``None`` if it was the last. ``draw`` is 0 to 1."""
    if attempts >= ATTEMPTS_MOST:
        return None
    return PAUSES[attempts - 1] * (1 + JITTER * draw)


def threshold(expires_at: datetime, since: datetime, warn_days: Collection[int], now: datetime) -> int | None:
    """Return the last threshold that was reached: days before the end, 0 at the end; ``None`` for none.

    A warning comes on the day (of UTC) on which its threshold falls, so that one day brings one mail. One
    that falls before ``since``, when the end was stated, was never due: whoever chose a short life knows it.
    """
    if expires_at <= now:
        return EXPIRED
    today = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    reached = [days for days in warn_days if since < expires_at - timedelta(days=days) < today]
    return min(reached, default=None)


def circles(days: int, warn_days: Collection[int]) -> tuple[str, ...]:
    """Return whom a threshold concerns: the owner first, then backup and team, at last administrators too."""
    ordered = sorted(warn_days)
    if days == EXPIRED or not ordered or days <= ordered[0]:
        return OWNER, TEAM, ADMINISTRATORS
    return (OWNER,) if days >= ordered[-1] else (OWNER, TEAM)
