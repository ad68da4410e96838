"""A machine whose clocks run at CLUSTER_CLOCK_RATE of their speed since its boot.

Boot-time and wall clock alike, in every process of the node, and as one clock: both count from the same instant.
"""

import os
import time

_RATE = float(os.environ["CLUSTER_CLOCK_RATE"])
_BEGAN_BOOT, _BEGAN_WALL = (int(text) for text in os.environ["CLUSTER_CLOCK_BEGAN"].split())
_clock_gettime_ns, _time_ns = time.clock_gettime_ns, time.time_ns


def _slow(at: int, began: int) -> int:
    return began + int((at - began) * _RATE)


def clock_gettime_ns(clock: int) -> int:
    """Return the clock, slowed if it is the boot-time clock."""
    at = _clock_gettime_ns(clock)
    return _slow(at, _BEGAN_BOOT) if clock == time.CLOCK_BOOTTIME else at


def time_ns() -> int:
    """Return the slow wall clock."""
    return _slow(_time_ns(), _BEGAN_WALL)


time.clock_gettime_ns, time.time_ns = clock_gettime_ns, time_ns
time.time = lambda: time_ns() / 1e9
