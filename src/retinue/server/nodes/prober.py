"""Runs a probe again and again: one thread in each process; between them, one probe a period."""

from __future__ import annotations

import logging
import random
import threading
from datetime import timedelta

from django.db import DatabaseError, connection

from retinue.server.errors import Refused
from retinue.server.nodes import probing, wake
from retinue.server.nodes.probing import ProbeView

_log = logging.getLogger("retinue.probe")
_prober: _Prober | None = None


def start(every_seconds: int) -> None:
    """Probe every so many seconds from now on, the first time after as many; 0 is never. Twice is once."""
    global _prober
    if _prober is None and every_seconds:
        _prober = _Prober(every_seconds)
        _prober.start()


def stop() -> None:
    """Begin no other probe. Waits for nothing, so that a signal may call it."""
    global _prober
    prober, _prober = _prober, None
    if prober is not None:
        prober.ending.set()


class _Prober(threading.Thread):
    def __init__(self, every_seconds: int) -> None:
        super().__init__(name="retinue-probe", daemon=True)
        self.ending = threading.Event()
        self._every = timedelta(seconds=every_seconds)
        self._said = ""

    def run(self) -> None:
        # Processes that started together need not come together.
        while not self.ending.wait(self._every.total_seconds() * random.uniform(1.0, 1.05)):  # noqa: S311
            try:
                view = probing.run(self._every)
                wake.release_connection()
            except (Refused, DatabaseError) as error:
                self._say(f"no probe: {str(error).partition(chr(10))[0]}")
                connection.close()
                continue
            self._say("" if view is None or view.is_good else _trouble(view))

    def _say(self, trouble: str) -> None:
        """Say what is wrong once, and once more when it is right again."""
        if trouble != self._said:
            if trouble:
                _log.warning("%s", trouble)
            else:
                _log.info("the probe is good again")
        self._said = trouble


def _trouble(view: ProbeView) -> str:
    stale = [result.node.name for result in view.results if result.is_stale]
    if stale:
        return f"probe: accepted after its receipt by {', '.join(stale)}"
    if view.missing:
        return f"probe: no report from {', '.join(view.missing)}"
    return "probe: its receipt did not complete in time"
