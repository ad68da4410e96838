"""How many refused sign-ins may be written down: guessing must not fill the audit log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Budget:
    """A bucket of ``burst`` entries that fills by one each ``every_s`` seconds.

    One for each process. What is not written is counted, and the next entry that is written tells how many.
    """

    def __init__(self, burst: int, every_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._every = every_s
        self._clock = clock
        self._lock = threading.Lock()
        self._left = float(burst)
        self._filled_at = clock()
        self._unwritten = 0

    def take(self) -> int | None:
        """Return how many entries went unwritten since the last one, or ``None``: do not write this one."""
        with self._lock:
            now = self._clock()
            self._left = min(self._burst, self._left + (now - self._filled_at) / self._every)
            self._filled_at = now
            if self._left < 1:
                self._unwritten += 1
                return None
            self._left -= 1
            unwritten, self._unwritten = self._unwritten, 0
            return unwritten


#: At most 20 at once and 10 a minute, whoever guesses from how many addresses.
BUDGET = Budget(burst=20, every_s=6.0)
