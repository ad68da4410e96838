"""Does, in the background, what time alone makes due: one thread in each process of the control plane.

What is kept for a time only is deleted, what is idle is shut, and access reviews fall due by the calendar.
All processes try, and one at a time does it. A little at once, and as long a pause after it as it took, so
that writers come first.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from datetime import datetime

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from retinue.server.api import idempotency
from retinue.server.console import sessions
from retinue.server.credentials import device, enforcing
from retinue.server.directory import retention
from retinue.server.governance import keeping
from retinue.server.ledger import pruning
from retinue.server.ledger.transaction import one_writer
from retinue.server.nodes import leases, probing, wake
from retinue.server.notifications import expiring, keeper
from retinue.server.traffic import actions as traffic
from retinue.server.traffic import sweeping

#: Rows in one transaction.
AT_ONCE = 1_000
EVERY_SECONDS = 3600.0
FIRST_SECONDS = 5.0
#: What is deleted: each takes the time and how many rows at most, and returns how many went.
TASKS: dict[str, Callable[[datetime, int], int]] = {
    "idempotency records": idempotency.prune,
    "sessions": sessions.prune,
    "device sign-ins": device.prune,
    "leases": leases.prune,
    "probes": probing.prune,
    "changes": pruning.compact,
    "request records": traffic.prune,
    "audit events": retention.expire,
    "messages": keeper.prune,
}
#: What is shut, in the same way: nothing of it goes.
SWEEPS: dict[str, Callable[[datetime, int], int]] = {
    "predecessors": sweeping.retire_used,
    "idle accounts and credentials": sweeping.shut_idle,
    "lives that are too long": enforcing.enforce,
    "warnings": expiring.warn,
}

#: The statistics of a table begin with its number of rows.
_SMALL = "SELECT tbl FROM sqlite_stat1 GROUP BY tbl HAVING MAX(CAST(stat AS INTEGER)) < %s"
_FORGET = {
    "sqlite_stat4": f"DELETE FROM sqlite_stat4 WHERE tbl IN ({_SMALL})",  # noqa: S608 (constants)
    "sqlite_stat1": f"DELETE FROM sqlite_stat1 WHERE tbl IN ({_SMALL})",  # noqa: S608
}
_log = logging.getLogger("retinue.housekeeping")
_lock = threading.Lock()
_thread: _Housekeeping | None = None


def start() -> None:
    """Keep house from now on, until :func:`stop` or the end of the process. Twice is once."""
    global _thread
    with _lock:
        if _thread is None:
            _thread = _Housekeeping()
            _thread.start()


def stop() -> None:
    """Stop after the rows that are being deleted now. Waits for nothing, so that a signal may call it."""
    global _thread
    thread, _thread = _thread, None
    if thread is not None:
        thread.stopping.set()


def measure() -> None:
    """Let SQLite look at its tables, a thousand rows of each index: without, it takes the wrong ones.

    Of a table that is small nothing is kept. It may be large within a minute, and SQLite would go on reading
    it from end to end for every row of another; where it knows nothing, it takes an index.
    """
    if connection.vendor == "sqlite":
        with one_writer(), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"PRAGMA analysis_limit = {AT_ONCE}")
            cursor.execute("ANALYZE")
            cursor.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'sqlite_stat_' ORDER BY name DESC")
            for (name,) in cursor.fetchall():
                cursor.execute(_FORGET[name], [AT_ONCE])
            cursor.execute("ANALYZE sqlite_schema")


def tidy(now: datetime, stopping: threading.Event, at_once: int = AT_ONCE) -> dict[str, int]:
    """Do every task to its end, as of ``now``; return what went. An error ends its task, not the others."""
    gone = _done(TASKS, now, stopping, at_once)
    if any(gone.values()):
        _log.info("deleted %s", _in_words(gone))
    return gone


def sweep(now: datetime, stopping: threading.Event, at_once: int = AT_ONCE) -> dict[str, int]:
    """Shut what is due, as of ``now``; return how much. An error ends its sweep, not the others."""
    shut = _done(SWEEPS, now, stopping, at_once)
    if any(shut.values()):
        _log.info("shut %s", _in_words(shut))
    return shut


def _in_words(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def _done(
    tasks: dict[str, Callable[[datetime, int], int]],
    now: datetime,
    stopping: threading.Event,
    at_once: int,
) -> dict[str, int]:
    gone = dict.fromkeys(tasks, 0)
    for name, task in tasks.items():
        try:
            while not stopping.is_set():
                began = time.monotonic()
                went = task(now, at_once)
                gone[name] += went
                if went < at_once:
                    break
                stopping.wait(time.monotonic() - began)
        except Exception:
            _log.exception("%s: not done; tried again later", name)
    return gone


class _Housekeeping(threading.Thread):
    def __init__(self) -> None:
        # A daemon: it never holds up the end of the process, and what it was deleting is rolled back.
        super().__init__(name="retinue-housekeeping", daemon=True)
        self.stopping = threading.Event()

    def run(self) -> None:
        pause = FIRST_SECONDS
        while not self.stopping.wait(pause):
            tidy(timezone.now(), self.stopping)
            self._attend()
            sweep(timezone.now(), self.stopping)
            self._measure()
            wake.release_connection()
            # Processes that started together need not come together.
            pause = EVERY_SECONDS * random.uniform(0.9, 1.1)  # noqa: S311

    def _attend(self) -> None:
        try:
            keeping.attend(timezone.now())
            keeping.prepare(timezone.now())
        except Exception:
            _log.exception("access reviews were not attended to; tried again later")

    def _measure(self) -> None:
        try:
            measure()
        except DatabaseError as error:
            _log.warning("the tables were not looked at: %s; tried again later", type(error).__name__)
