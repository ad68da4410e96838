"""Which of two things that are held reaches further. Pure functions; no database."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from retinue.replica.holding import Scope, Timed


def more_bits(ours: bytes, theirs: bytes) -> bool:
    """Tell whether a mask has a bit that another has not."""
    return bool(int.from_bytes(ours, "little") & ~int.from_bytes(theirs, "little"))


def ends_later(ours: int, theirs: int) -> bool:
    """Tell whether ours ends later, or never (0)."""
    return bool(theirs) and (not ours or ours > theirs)


def more_scopes(ours: Sequence[Scope], theirs: Sequence[Scope]) -> bool:
    """Tell whether some scope of ours stands in no scope of theirs with the same limits."""
    known: dict[Scope, int] = {}
    for each in theirs:
        limits = msgspec.structs.replace(each, permissions=b"")
        known[limits] = known.get(limits, 0) | int.from_bytes(each.permissions, "little")
    return any(
        int.from_bytes(each.permissions, "little")
        & ~known.get(msgspec.structs.replace(each, permissions=b""), 0)
        for each in ours
    )


def is_held(holder: str, until_ms: int, holders: Sequence[str], timed: Sequence[Timed]) -> bool:
    """Tell whether a holder is held as long as that, by what a record says."""
    return holder in holders or any(
        each.holder == holder and not ends_later(until_ms, each.until_ms) for each in timed
    )
