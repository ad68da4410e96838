"""How long to wait after failed sign-ins. Pure; no database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

#: Failures in a window for one e-mail address from one network, and from one network in all.
MOST_OF_ADDRESS, MOST_OF_NETWORK = 5, 20
#: Wrong codes in a window after the right password, from wherever: nobody gets so far without it.
MOST_OF_PERSON = 20
WINDOW = timedelta(minutes=5)
#: The pause after a window that was used up; it doubles with each further one.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=1)
#: After so long without a failure the next one is the first.
QUIET = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Failures:
    """What is remembered: failures of the present window, the pauses so far, and when all is forgotten."""

    count: int
    window_ends_at: datetime
    pauses: int
    paused_until: datetime
    forgotten_at: datetime

    @classmethod
    def none(cls, now: datetime) -> Failures:
        """Return what is remembered of somebody who never failed."""
        return cls(0, now, 0, now, now + QUIET)


def after_failure(before: Failures, most: int, now: datetime) -> Failures:
    """Return what is remembered after one more failure; the ``most``-th of a window begins a pause."""
    if before.forgotten_at <= now:
        before = Failures.none(now)
    is_new = before.window_ends_at <= now
    count = 1 if is_new else before.count + 1
    window_ends_at = now + WINDOW if is_new else before.window_ends_at
    if count < most:
        return Failures(count, window_ends_at, before.pauses, before.paused_until, now + QUIET)
    pause = min(FIRST_PAUSE * 2 ** min(before.pauses, 8), LONGEST_PAUSE)
    return Failures(0, now + pause, before.pauses + 1, now + pause, now + pause + QUIET)
