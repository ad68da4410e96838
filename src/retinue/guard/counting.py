"""Counts the calls of accounts that have a limit, for a guard."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from retinue.decision import Quota
from retinue.limits import Limiter
from retinue.replica.narrowing import Rate

#: So often those that count calls on this host look for each other.
COUNT_NS = 1_000_000_000


class Counting:
    """Counts calls for the limits of accounts, together with the host's node and other guards there."""

    def __init__(self, folder: Path) -> None:
        """Raises ``OSError`` if the folder of the counters cannot be written."""
        self._limiter = Limiter.claim(folder, "guard")
        self._looked_ns = time.monotonic_ns()
        #: The counters have one writer at a time.
        self._lock = threading.Lock()

    def take(self, account: str, rate: Rate, now_ms: int, nodes: int) -> Quota | None:
        """Count one call if the host's share allows it, as :meth:`Limiter.take` does."""
        with self._lock:
            return self._limiter.take(account, rate, now_ms, nodes)

    def refresh(self) -> None:
        """Look for others, now and then."""
        with self._lock:
            now_ns = time.monotonic_ns()
            if now_ns - self._looked_ns >= COUNT_NS:
                self._looked_ns = now_ns
                self._limiter.refresh()

    def close(self) -> None:
        """Let go of the files."""
        self._limiter.close()
