"""Decides in this process, from the replica of this host: no network.

The follower of the host's node writes the replica and ships what is logged here. The store is opened for each
process, once however many guards use it: a fork must not share it, and LMDB opens a file once in a process.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import lmdb

from retinue import pepper
from retinue.decision import Allowed, Denied, Reason
from retinue.foreign import Unseal
from retinue.guard.counting import Counting
from retinue.guard.deciding import Log, Refused, identified
from retinue.guard.entries import entry_for, known_entry
from retinue.kept import Known
from retinue.pepper import Peppers
from retinue.replica.store import Store
from retinue.usage import Entry, Spool
from retinue.verifier import Question, Verifier

#: The files are looked at so often.
WATCH_NS = 200_000_000
#: A replica that was replaced is let go of so long after nothing new was asked of it.
GRACE_NS = 1_000_000_000
#: So often the log says why a replica cannot be opened.
TELL_NS = 10_000_000_000
_STALE = Refused(Denied(Reason.REPLICA_STALE))
_log = logging.getLogger("retinue.guard")


@dataclass(frozen=True, slots=True)
class Places:
    """Where a node keeps what a guard on its host reads and writes."""

    replica: Path
    pepper: Path
    spool: Path
    brands: tuple[str, ...]


class Local:
    """Decisions of this process. Safe with threads, forks and asyncio."""

    def __init__(self, places: Places) -> None:
        """Raises :class:`retinue.pepper.PepperError` if there is no pepper; a replica may come later."""
        self._places = places
        self._peppers = pepper.load(places.pepper)
        self._opened: _Opened | None = None
        self._watched_ns = 0

    def decide(self, question: Question) -> Allowed | Refused | Known:
        """Decide, and log it as the node does. Raises what :meth:`Verifier.verify` raises."""
        started = time.perf_counter_ns()
        opened = self._opened
        if opened is None or started - self._watched_ns > WATCH_NS or opened.pid != os.getpid():
            opened = self._look(started)
            if opened is None:
                return _STALE
        found = opened.verifier.find(question)
        nanoseconds = time.perf_counter_ns() - started
        if isinstance(found, Known):
            opened.record_known(found, question, time.time_ns(), nanoseconds, None)
            return found
        decided = found if isinstance(found, Allowed) else identified(found)
        if decided.caller is not None:
            opened.record(entry_for(decided, question, time.time_ns(), nanoseconds, None))
        return decided

    def hold(self, question: Question) -> tuple[Allowed | Refused, Log]:
        """Decide, and leave it to the asker when it is logged. Raises what :meth:`Verifier.verify` raises."""
        started = time.perf_counter_ns()
        opened = self._opened
        if opened is None or started - self._watched_ns > WATCH_NS or opened.pid != os.getpid():
            opened = self._look(started)
            if opened is None:
                return _STALE, _log_nothing
        found = opened.verifier.find(question)
        decided = identified(found.decision if isinstance(found, Known) else found)
        if decided.caller is None:
            return decided, _log_nothing
        nanoseconds, at_ns = time.perf_counter_ns() - started, time.time_ns()

        def log(status: int | None, instead: Refused | None = None) -> None:
            # The answer may have taken long, and another replica may stand here now, or another process.
            present = self._opened
            if present is None or present.pid != os.getpid():
                present = self._look(time.perf_counter_ns())
            if present is None:
                return
            if instead is None and isinstance(found, Known):
                present.record_known(found, question, at_ns, nanoseconds, status)
            else:
                present.record(entry_for(instead or decided, question, at_ns, nanoseconds, status))

        return decided, log

    def _look(self, now_ns: int) -> _Opened | None:
        """Look at the files again."""
        self._watched_ns = now_ns
        self._opened = _current(self._places, self._peppers)
        return self._opened

    def schemes(self, organization: str | None) -> tuple[str, ...]:
        """Return how tokens may be presented; none while there is no replica."""
        opened = self._opened or _current(self._places, self._peppers)
        return () if opened is None else opened.verifier.schemes(organization)

    def close(self) -> None:
        """Nothing of one guard is open: what its process has opened ends with the process."""
        self._opened = None


class _Opened:
    """What one process has opened of one replica."""

    def __init__(self, places: Places, peppers: Peppers, file: tuple[int, int]) -> None:
        """Raises ``lmdb.Error`` or ``OSError`` if it cannot be read, or the log not written."""
        self.pid = os.getpid()
        self.file = file
        self.replaced_ns = 0
        with ExitStack() as undo:
            self._store = Store(places.replica)
            undo.callback(self._store.close)
            self._counting = Counting(places.replica / "limits")
            undo.callback(self._counting.close)
            take = self._counting.take
            self.verifier = Verifier(self._store, peppers, brands=places.brands, unseal=_unseal(), take=take)
            self._spool = Spool(places.spool, f"guard-{self.pid}")
            undo.pop_all()
        #: A spool has one writer at a time.
        self._writing = threading.Lock()

    def record(self, entry: Entry) -> None:
        """Log a decision about a genuine token; without a place for it the decision stands all the same."""
        try:
            with self._writing:
                self._spool.append(entry)
        except (OSError, ValueError) as error:
            _log.error("the request log could not be written: %s", error)

    def record_known(
        self, known: Known, question: Question, at_ns: int, nanoseconds: int, status: int | None
    ) -> None:
        """Log what was kept of the state, as :meth:`record` does."""
        try:
            data = known_entry(known, question, at_ns, nanoseconds, status)
            with self._writing:
                self._spool.append_encoded(data, True)
        except UnicodeEncodeError:  # the log mends it
            self.record(entry_for(known.decision, question, at_ns, nanoseconds, status))
        except (OSError, ValueError) as error:
            _log.error("the request log could not be written: %s", error)

    def prepare(self) -> None:
        """Make room in the log before it is needed, and look who else counts here."""
        self._counting.refresh()
        try:
            with self._writing:
                self._spool.prepare()
        except OSError as error:
            _log.error("the request log could not be written: %s", error)

    def close(self) -> None:
        self._spool.close()
        self._counting.close()
        self._store.close()

    def abandon(self) -> None:
        """In a process that was forked: let go, so that the file can be opened here."""
        self._spool.abandon()
        self._counting.close()
        self._store.close()


def _log_nothing(status: int | None, instead: Refused | None = None) -> None:
    """Strangers are not logged."""


_lock = threading.Lock()
_open: dict[Path, _Opened] = {}


def _current(places: Places, peppers: Peppers) -> _Opened | None:
    """Return what this process has opened of a replica; ``None`` while there is none that can be read."""
    folder = places.replica.resolve()
    with _lock:
        opened = _open.get(folder)
        if opened is not None and opened.pid != os.getpid():
            del _open[folder]
            opened.abandon()
            opened = None
        file = _file(folder)
        if opened is not None and opened.file == file:
            opened.prepare()
            return opened
        if opened is not None:
            # Another thread may still be reading it; none begins to, and a decision takes microseconds.
            now_ns = time.monotonic_ns()
            opened.replaced_ns = opened.replaced_ns or now_ns
            if now_ns - opened.replaced_ns < GRACE_NS:
                return None
            del _open[folder]
            opened.close()
        if file is None or _failures.is_recent(folder):
            return None
        try:
            opened = _open[folder] = _Opened(places, peppers, file)
        except (lmdb.Error, OSError) as error:
            _failures.add(folder, error)
            return None
        return opened


class _Failures:
    """Replicas that could not be opened: nothing is decided then, nor is it tried for each request."""

    def __init__(self) -> None:
        self._failed_ns: dict[Path, int] = {}
        self._told_ns = -TELL_NS

    def is_recent(self, folder: Path) -> bool:
        """Tell whether it was tried just now."""
        return time.monotonic_ns() - self._failed_ns.get(folder, -WATCH_NS) < WATCH_NS

    def add(self, folder: Path, error: Exception) -> None:
        """Note it, and say so now and then."""
        now_ns = self._failed_ns[folder] = time.monotonic_ns()
        if now_ns - self._told_ns >= TELL_NS:
            self._told_ns = now_ns
            _log.error(
                "nothing is allowed: the replica in %s and the log are not to be had: %s", folder, error
            )


_failures = _Failures()


def _forked() -> None:
    """A fork may come while another thread holds the lock; the child has no such thread."""
    global _lock, _failures
    _lock, _failures = threading.Lock(), _Failures()


os.register_at_fork(after_in_child=_forked)


def _unseal() -> Unseal | None:
    """Return what opens the keys of tokens that another system digested; it needs ``retinue[node]``."""
    try:
        from retinue.sealing import unseal
    except ImportError:
        return None
    return unseal


def _file(folder: Path) -> tuple[int, int] | None:
    """Return what tells the replica's file from one that stood there before."""
    try:
        status = (folder / "data.mdb").stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
