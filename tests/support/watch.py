"""A stopwatch for bounds that are of the product: what the machine itself was late is not counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_PRESSURE = [Path("/proc/pressure") / name for name in ("cpu", "io", "memory")]


def start() -> Callable[[], float]:
    """Start a stopwatch; what is returned tells the seconds since, less those in which the machine was short.

    That is the time in which some process waited for a processor, a disk or memory (the kernel's ``some``): on a
    quiet machine it is next to nothing, and a busy one must not be what fails a test.
    """
    began, before = time.monotonic(), _short()

    def seconds() -> float:
        late = _short() - before
        return max(0.0, time.monotonic() - began - late)

    return seconds


def _short() -> float:
    """Return for how long the machine was short of anything since it was started; 0 where it does not tell."""
    found = 0
    for each in _PRESSURE:
        with suppress(OSError):
            found += int(each.read_text().splitlines()[0].rpartition("total=")[2])
    return found / 1e6
