"""The lease of a replica: for how long it may decide without hearing from the control plane.

A lease of length L begins when the poll is **sent** whose answer brought the replica up to the head, and ends
L later on the boot-time clock of this machine (Gray and Cheriton, "Leases", 1989). After that instant nobody
here is allowed anything, so the control plane need not wait longer for a node that it cannot reach: a change
holds everywhere once each node has confirmed it or its lease has ended. Time that the machine loses counts
against the lease: by ``EPSILON`` the control plane waits longer than a node decides. A node behind a relay
goes on from the relay's lease, measured on one clock more, so each relay in between costs one more margin.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from retinue.replica.records import Meta

#: The part of a lease that a node's clock may lose against the control plane's.
EPSILON = 0.05
#: Relays that may stand between a node and the control plane. With more, too little of a lease would be left.
MOST_HOPS = 3
#: What is not found may have been made since the node was last heard: after so long it is not called unknown.
UNKNOWN_LEASE_MS = 10_000
_MS = 1_000_000
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

#: The boot-time clock in nanoseconds: it never steps, and goes on while the machine sleeps.
boot_clock_ns: Callable[[], int] = partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)


def wall_clock_ms() -> int:
    """Return the wall clock in milliseconds since 1970."""
    return time.time_ns() // _MS


@cache
def boot_id() -> str:
    """Return which boot of this machine this is; its boot-time clock means nothing in another."""
    return _BOOT_ID.read_text().strip()


def length_ms(lease_ms: int, hops: int) -> int:
    """Return how long a replica behind so many relays may decide in a lease of ``lease_ms``."""
    return lease_ms - int(lease_ms * EPSILON * hops) if hops else lease_ms


#: Between which instants of the boot-time clock a lease runs, and how far ahead the wall clock may be, in
#: nanoseconds: it runs at an instant that both show if ``began <= boot < ends`` and ``wall - boot <= ahead``.
Bounds = tuple[int, int, int]
_NEVER = (0, 0, 0)


def bounds(meta: Meta, lease_ms: int, boot: str) -> Bounds:
    """Return the bounds of a lease of ``lease_ms`` in the present boot; no instant lies in those of none.

    The pause guard is here too: a virtual machine that stood still may find its boot-time clock behind, while
    its wall clock was set right. A wall clock that is ahead by more than half of what a clock may lose ends
    the lease, until the next poll begins another.
    """
    began = meta.fresh_from_ns
    if not began or meta.boot_id != boot:
        return _NEVER
    lease_ns = (length_ms(lease_ms, meta.hops) if meta.hops else lease_ms) * _MS
    return began, began + lease_ns, meta.fresh_wall_ms * _MS - began + int(lease_ns * EPSILON / 2)


def is_running(meta: Meta, lease_ms: int, boot: str, boot_ns: int, wall_ms: int) -> bool:
    """Tell whether a lease of ``lease_ms`` is running at the instant that both clocks show.

    ``boot`` is the present boot. Read the clocks after the snapshot that ``meta`` belongs to.
    """
    began_ns, ends_ns, ahead_ns = bounds(meta, lease_ms, boot)
    return began_ns <= boot_ns < ends_ns and wall_ms * _MS - boot_ns <= ahead_ns


def remaining_ms(meta: Meta, lease_ms: int, boot: str, boot_ns: int, wall_ms: int) -> int:
    """Return for how many milliseconds a lease of ``lease_ms`` goes on running; 0 if it does not run."""
    if not is_running(meta, lease_ms, boot, boot_ns, wall_ms):
        return 0
    return length_ms(lease_ms, meta.hops) - (boot_ns - meta.fresh_from_ns) // _MS


def now_ms(meta: Meta, boot_ns: int, wall_ms: int) -> int:
    """The later of this clock and the control plane's, as last heard plus the time since then."""
    heard = meta.control_time_ms
    if not heard:
        return wall_ms
    return max(wall_ms, heard + max(boot_ns - meta.heard_ns, 0) // _MS)
