"""Whether a node's clock keeps pace with ours, by what its polls say. Pure functions; no database.

A poll says what the node's boot-time clock showed when it was sent; it is compared with ours when it arrives.
With c = 1 - ε/2, the deficit ``c · ours - theirs`` falls while the node's clock keeps pace, and grows while
it loses more than ε/2. The way of a poll adds to its deficit and never takes from it, so the least deficit
of a window is the one to believe. A delay that comes and stays looks like a loss once, a slow clock does in
every window.

The node is *slow* when the least deficit of a window is more than a second above the least one before it
(Page, "Continuous inspection schemes", 1954). So all polls may be late by a second, for good, without a
false alarm; a clock that loses 5 % is found within 80 s of polls, one that loses 20 % within 50. It is right
again when the deficit has fallen from its height by a quarter of a second: after 30 s of polls at the right
rate. What a clock loses at once is not seen here but by the node itself (the pause guard).

The rate is what counts, so a lease may be shorter than the measurement, or longer: a loss of ε/2 of the time
is one of ε/2 of each lease.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from retinue.replica.lease import EPSILON

_S = 1_000_000_000
#: Polls that are closer together than this are not looked at.
EVERY_NS = _S
WINDOW_NS = 15 * _S
#: A window has so many polls at least: after an interruption the first ones may be late.
WINDOW_POLLS = 4
#: So much later than before may all polls of a window be, without an alarm.
DELAY_NS = _S
RECOVERY_NS = _S // 4
#: The ratio is that of so long a time at least, or of twice that at most.
RATIO_NS = 300 * _S
#: Clocks that a node was not compared with for so long, or too many of them, are forgotten.
FORGOTTEN_MS = 600_000
MOST_CLOCKS = 8
_MILLION = 1_000_000
_PACE = round((1 - EPSILON / 2) * _MILLION)


class Point(msgspec.Struct, frozen=True, array_like=True):
    """A poll: our clock at its arrival, the node's at its sending, and how far its wall clock was ahead."""

    ours_ns: int
    theirs_ns: int
    ahead_ms: int | None = None

    @property
    def deficit_ns(self) -> int:
        """How far the node's clock is behind the slowest that is right, counted from an arbitrary zero."""
        return self.ours_ns * _PACE // _MILLION - self.theirs_ns


class Watch(msgspec.Struct, frozen=True, array_like=True):
    """A node's clock beside one of ours, ``clock_id``. ``mark`` is the poll with the least deficit of earlier
    windows; while the node is slow, the greatest of their least ones.
    """

    clock_id: str
    heard_ms: int
    heard_ns: int
    began_ns: int
    polls: int
    least: Point
    mark: Point | None = None
    base: Point | None = None
    newer: Point | None = None
    ratio: float | None = None
    ahead_ms: int | None = None
    is_slow: bool = False


class Clock(msgspec.Struct, frozen=True, array_like=True):
    """All that is known of the clock of one incarnation.

    ``is_told`` while it stands in the audit log that it is slow; ``lost_until_ms`` ends the last loss that
    the node has told of; ``stale_ms`` is for how long it was without a lease until ``heard_ms``.
    """

    watches: tuple[Watch, ...] = ()
    is_told: bool = False
    losses: int = 0
    lost_until_ms: int = 0
    stale_ms: int = 0
    heard_ms: int = 0

    @property
    def is_slow(self) -> bool:
        """Whether the node gets no lease: it is slow beside a clock of ours."""
        return any(each.is_slow for each in self.watches)

    @property
    def state(self) -> str:
        """``slow``, ``ok``, or ``unknown`` as long as too few polls were heard."""
        if self.is_slow:
            return "slow"
        return "unknown" if self.ratio is None else "ok"

    @property
    def ratio(self) -> float | None:
        """How fast the node's clock runs beside ours, the slowest such ratio; ``None`` if it is not known."""
        return min((each.ratio for each in self.watches if each.ratio is not None), default=None)

    @property
    def ahead_ms(self) -> int | None:
        """How far the node's wall clock is ahead of ours, as last measured."""
        if not self.watches:
            return None
        return max(self.watches, key=_heard).ahead_ms


_decode = msgspec.json.Decoder(Clock).decode


def _heard(watch: Watch) -> int:
    return watch.heard_ms


# A row is read with each poll, and says something else once a second.
@lru_cache(4_096)
def load(text: str) -> Clock:
    """Return what a lease row says of the clock; nothing is known of what cannot be read."""
    try:
        return _decode(text)
    except msgspec.DecodeError:
        return Clock()


def dump(clock: Clock) -> str:
    """Return what a lease row says of the clock."""
    return msgspec.json.encode(clock).decode()


def other_replica(clock: Clock) -> Clock:
    """Return what goes over to a new follower that does not go on with the replica: what was counted."""
    return msgspec.structs.replace(clock, watches=())


def stale_ms(clock: Clock, lease_ms: int, now_ms: int) -> int:
    """Return for how long a node was without a lease until now, as far as it can be told from here."""
    if not clock.heard_ms:
        return 0
    gap = max(now_ms - clock.heard_ms, 0)
    return clock.stale_ms + (gap if clock.is_slow else max(gap - lease_ms, 0))


def observe(clock: Clock, clock_id: str, point: Point, now_ms: int) -> Clock:
    """Return what is known after a poll; the same object if that was too soon after the one before.

    ``now_ms`` is our wall clock, by which clocks of ours that are gone are forgotten.
    """
    kept = [each for each in clock.watches if abs(now_ms - each.heard_ms) < FORGOTTEN_MS]
    present = next((each for each in kept if each.clock_id == clock_id), None)
    if present is not None and 0 <= point.ours_ns - present.heard_ns < EVERY_NS:
        return clock
    others = [each for each in kept if each.clock_id != clock_id][-(MOST_CLOCKS - 1) :]
    if present is None:
        seen = Watch(clock_id, now_ms, point.ours_ns, point.ours_ns, 1, point)
    else:
        seen = _followed(present, point, now_ms)
    return msgspec.structs.replace(clock, watches=(*others, seen))


def counted(seen: Clock, before: Clock, lease_ms: int, now_ms: int) -> Clock:
    """Return what is known after a poll, with the time without a lease since the one ``before``."""
    return msgspec.structs.replace(seen, stale_ms=stale_ms(before, lease_ms, now_ms), heard_ms=now_ms)


def _followed(watch: Watch, point: Point, now_ms: int) -> Watch:
    least = min(watch.least, point, key=lambda each: each.deficit_ns)
    seen = msgspec.structs.replace(
        watch, heard_ms=now_ms, heard_ns=point.ours_ns, polls=watch.polls + 1, least=least
    )
    if point.ours_ns - seen.began_ns < WINDOW_NS or seen.polls < WINDOW_POLLS:
        return seen
    return msgspec.structs.replace(
        _measured(_judged(seen)), began_ns=point.ours_ns, polls=1, least=point, ahead_ms=least.ahead_ms
    )


def _judged(watch: Watch) -> Watch:
    """Judge the window that has ended. Where the judgement changes, the rate is that since the mark."""
    found, mark = watch.least, watch.mark
    if mark is None:
        return msgspec.structs.replace(watch, mark=found)
    change = found.deficit_ns - mark.deficit_ns
    if (watch.is_slow and change <= -RECOVERY_NS) or (not watch.is_slow and change > DELAY_NS):
        return msgspec.structs.replace(watch, is_slow=not watch.is_slow, mark=found, base=mark, newer=mark)
    is_new = change > 0 if watch.is_slow else change < 0
    return msgspec.structs.replace(watch, mark=found if is_new else mark)


def _measured(watch: Watch) -> Watch:
    """Measure the rate since the base, which is a few minutes old."""
    point, base, newer = watch.least, watch.base, watch.newer
    if base is None or newer is None:
        return msgspec.structs.replace(watch, base=point, newer=point)
    ours_ns = point.ours_ns - base.ours_ns
    ratio = (point.theirs_ns - base.theirs_ns) / ours_ns if ours_ns > 0 else watch.ratio
    if point.ours_ns - newer.ours_ns >= RATIO_NS:
        base, newer = newer, point
    return msgspec.structs.replace(watch, base=base, newer=newer, ratio=ratio)
