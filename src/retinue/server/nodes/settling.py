"""When a change holds on a node: it has confirmed it, or its lease has ended. Pure functions; no database.

Whom to wait for, and until when, is read once, after the commit of the change. A lease that is renewed later
needs no waiting: the answer that renews it brings the change. So a node that polls and never applies holds a
change up for one lease, not for ever.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from retinue.replica.lease import EPSILON

_NS = 1_000_000_000
#: Who has not confirmed a change after so long has delayed it.
DELAY_MS = 250.0


@dataclass(frozen=True, slots=True)
class Row:
    """A lease row: what one incarnation of a node has acknowledged, and when (boot-time clock, ns)."""

    node: str
    incarnation: str
    retires: str
    epoch: int
    revision: int
    granted_at_ns: int
    clock_id: str
    is_current: bool = True


@dataclass(frozen=True, slots=True)
class Awaited:
    """An incarnation that may still decide without the change, at the latest until ``ends_at_ns``."""

    node: str
    incarnation: str
    ends_at_ns: int


def bound_ns(lease_seconds: float) -> int:
    """Return the longest wait for a node that cannot be reached, in nanoseconds."""
    return int(lease_seconds * (1 + EPSILON) * _NS)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the rows said when they were read: who is waited for, and which nodes' leases had ended before."""

    awaited: list[Awaited]
    ended: list[Awaited]


def outlook(rows: Iterable[Row], *, now_ns: int, clock_id: str, lease_seconds: float) -> Outlook:
    """Return which rows must be waited for, as read after the commit, and the present ones that have ended.

    ``now_ns`` and ``clock_id`` are this process's boot-time clock. A row that was written on another clock,
    or seems to be of the future, counts from now.
    """
    bound = bound_ns(lease_seconds)
    found = Outlook([], [])
    for row in rows:
        known = row.clock_id == clock_id and row.granted_at_ns <= now_ns
        ends = (row.granted_at_ns if known else now_ns) + bound
        each = Awaited(row.node, row.incarnation, ends)
        if ends > now_ns:
            found.awaited.append(each)
        elif row.is_current:
            found.ended.append(each)
    return found


def confirmed(waiting: Collection[Awaited], rows: Iterable[Row], epoch: int, revision: int) -> list[Awaited]:
    """Return those whose replica has applied ``revision``, by their own word or that of a successor.

    A successor that says that it retires an incarnation works on the very same replica, and so does the
    successor's successor. That it has come alone proves nothing: the revision must have been reached.
    """
    known = {(row.node, row.incarnation): row for row in rows}
    reached = [place for place, row in known.items() if row.epoch == epoch and row.revision >= revision]
    holding: set[tuple[str, str]] = set()
    for place in reached:
        at: tuple[str, str] | None = place
        while at is not None and at not in holding:
            holding.add(at)
            row = known.get(at)
            at = (at[0], row.retires) if row is not None and row.retires else None
    return [each for each in waiting if (each.node, each.incarnation) in holding]


def delaying(settled: Iterable[dict[str, Any]]) -> list[str]:
    """Return the incarnations that delayed a change, by the ``nodes`` of its receipt."""
    return [each["incarnation"] for each in settled if (each["waited_ms"] or 0.0) >= DELAY_MS]
