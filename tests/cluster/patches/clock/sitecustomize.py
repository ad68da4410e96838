"""A machine whose clocks run at CLUSTER_CLOCK_RATE of their speed, and whose wall clock is set by a file.

Boot-time and wall clock alike, in every process of the machine, and as one clock: both count from the same
instant. CLUSTER_CLOCK_STEP names the file: by how many nanoseconds the wall clock is off.
"""

import mmap
import os
import struct
import time
from datetime import UTC, datetime
from pathlib import Path

from django.utils import timezone

_RATE = float(os.environ["CLUSTER_CLOCK_RATE"])
_BEGAN_BOOT, _BEGAN_WALL = (int(text) for text in os.environ["CLUSTER_CLOCK_BEGAN"].split())
with Path(os.environ["CLUSTER_CLOCK_STEP"]).open("r+b") as _file:
    _step = mmap.mmap(_file.fileno(), 8, access=mmap.ACCESS_READ)
_clock_gettime_ns, _time_ns, _read = time.clock_gettime_ns, time.time_ns, struct.Struct("<q").unpack_from


def _run(at: int, began: int) -> int:
    return began + int((at - began) * _RATE)


def clock_gettime_ns(clock: int) -> int:
    """Return the clock, at its rate if it is the boot-time clock."""
    at = _clock_gettime_ns(clock)
    return _run(at, _BEGAN_BOOT) if clock == time.CLOCK_BOOTTIME else at


def time_ns() -> int:
    """Return the wall clock."""
    return _run(_time_ns(), _BEGAN_WALL) + int(_read(_step)[0])


time.clock_gettime_ns, time.time_ns = clock_gettime_ns, time_ns
time.time = lambda: time_ns() / 1e9
timezone.now = lambda: datetime.fromtimestamp(time.time(), UTC)
