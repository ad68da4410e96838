"""The clocks of the machines of a run: each node's runs at its own rate, and any wall clock can be stepped."""

from __future__ import annotations

import struct
import time
from pathlib import Path

PATCHES = Path(__file__).parent / "patches"
#: A slow clock within half of the margin, so that it gets its leases; and a fast one.
SLOW, FAST = "n3", "n2"
RATE, FAST_RATE, TOO_SLOW = 0.98, 1.02, 0.82
STEP_SECONDS = 3600


def patched(patch: str, **variables: str) -> dict[str, str]:
    """Return the environment of processes that load ``patches/<patch>/sitecustomize.py`` first."""
    return {"PYTHONPATH": str(PATCHES / patch), **variables}


class MachineClock:
    """The clocks of one machine, as its processes see them from their start on."""

    def __init__(self, folder: Path, name: str, rate: float = 1.0) -> None:
        self._file = folder / f"{name}.clock"
        self._file.write_bytes(struct.pack("<q", 0))
        self._rate = rate

    def environment(self, rate: float | None = None) -> dict[str, str]:
        """Return the environment of processes whose clocks run so from now on."""
        began = f"{time.clock_gettime_ns(time.CLOCK_BOOTTIME)} {time.time_ns()}"
        return {
            "CLUSTER_CLOCK_RATE": str(self._rate if rate is None else rate),
            "CLUSTER_CLOCK_BEGAN": began,
            "CLUSTER_CLOCK_STEP": str(self._file),
        }

    def step(self, seconds: float) -> None:
        """Set the wall clock so far from the right time, in all processes, at once."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("<q", int(seconds * 1e9)))
