"""Keeps findings up to date, in the background: one thread in each process of the control plane.

All processes try, and one at a time does it. A commit of this process wakes its thread, which waits for a
pause between changes; what another one has committed is seen a little later.
"""

from __future__ import annotations

import logging
import threading
import time

from django.db import connection

from retinue.server.governance import refreshing
from retinue.server.ledger.transaction import on_revision

#: The ledger is looked at so often, and after a commit no sooner than so long after the last time.
EVERY_SECONDS, LEAST_SECONDS = 5.0, 1.0
#: After a commit no other one came for so long, or they did not end: whoever changes something comes first.
QUIET_SECONDS, LATEST_SECONDS = 0.5, 4.0
#: So many times as long as it took lie before the next time: whoever waits for an answer comes first.
PAUSE = 3

_log = logging.getLogger("retinue.findings")
_lock = threading.Lock()
_looker: _Looker | None = None


def start() -> None:
    """Keep findings up to date from now on, until :func:`stop` or the end of the process. Twice is once."""
    global _looker
    with _lock:
        if _looker is None:
            _looker = _Looker()
            on_revision(_looker.hear)
            _looker.start()


def stop() -> None:
    """Stop after the kind that is being looked for. Waits for nothing, so that a signal may call it."""
    global _looker
    looker, _looker = _looker, None
    if looker is not None:
        looker.is_stopping = True
        looker.awake.set()


class _Looker(threading.Thread):
    def __init__(self) -> None:
        # A daemon: it never holds up the end of the process; what it was doing is done again by another.
        super().__init__(name="retinue-findings", daemon=True)
        self.awake = threading.Event()
        self.is_stopping = False

    def hear(self, _revision: int) -> None:
        self.awake.set()

    def run(self) -> None:
        pause = LEAST_SECONDS
        while not self.is_stopping:
            if self.awake.wait(pause):
                self._settle()
            pause, began = EVERY_SECONDS, time.monotonic()
            try:
                refreshing.run(is_stopping=lambda: self.is_stopping)
            except Exception:
                _log.exception("findings are as old as they are; tried again later")
            finally:
                connection.close_if_unusable_or_obsolete()
            time.sleep(max(LEAST_SECONDS, PAUSE * (time.monotonic() - began)))

    def _settle(self) -> None:
        """Wait for a pause between commits."""
        ends = time.monotonic() + LATEST_SECONDS
        while not self.is_stopping and time.monotonic() < ends:
            self.awake.clear()
            time.sleep(QUIET_SECONDS)
            if not self.awake.is_set():
                return
        self.awake.clear()
