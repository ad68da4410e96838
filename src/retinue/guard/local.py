"""Decides in this process, from the replica of this host: no network.

The follower of the host's node writes the replica and ships what is logged here. The store is opened for each
process, once however many guards use it: a fork must not share it, and LMDB opens a file once in a process.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import lmdb

from retinue import pepper
from retinue.decision import Decision, Denied, Reason
from retinue.foreign import Unseal
from retinue.pepper import Peppers
from retinue.replica.store import Store
from retinue.usage import Entry, Spool
from retinue.verifier import Question, Verifier

#: The files are looked at so often.
WATCH_NS = 200_000_000
#: A replica that was replaced is let go of so long after nothing new was asked of it.
GRACE_NS = 1_000_000_000
_STALE = Denied(Reason.REPLICA_STALE)


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

    def decide(self, question: Question) -> Decision:
        """Decide, and log it as the node does. Raises what :meth:`Verifier.verify` raises."""
        started = time.perf_counter_ns()
        opened = self._opened
        if opened is None or started - self._watched_ns > WATCH_NS or opened.pid != os.getpid():
            self._watched_ns = started
            opened = self._opened = _current(self._places, self._peppers)
            if opened is None:
                return _STALE
        decided = opened.verifier.verify(question)
        if decided.caller is not None:
            opened.record(decided, question, started)
        return decided

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
        self.pid = os.getpid()
        self.file = file
        self.replaced_ns = 0
        self._store = Store(places.replica)
        self.verifier = Verifier(self._store, peppers, brands=places.brands, unseal=_unseal())
        self._spool = Spool(places.spool, f"guard-{self.pid}")
        #: A spool has one writer at a time.
        self._writing = threading.Lock()

    def record(self, decided: Decision, question: Question, started: int) -> None:
        """Log a decision about a genuine token; without a place for it the decision stands all the same."""
        caller = decided.caller
        assert caller is not None  # noqa: S101  (for the type checker)
        reason = decided.reason if isinstance(decided, Denied) else None
        entry = Entry(
            time.time_ns() // 1_000_000,
            caller.organization,
            caller.id,
            caller.name,
            caller.kind,
            caller.credential_id,
            reason is None,
            reason,
            decided.permission or (question.need[0] if question.need else None),
            question.method,
            question.path,
            question.address,
            None,
            caller.revision,
            (time.perf_counter_ns() - started) // 1000,
        )
        with self._writing:
            self._spool.append(entry)

    def prepare(self) -> None:
        """Make room in the log before it is needed."""
        with self._writing:
            self._spool.prepare()

    def close(self) -> None:
        self._spool.close()
        self._store.close()

    def abandon(self) -> None:
        """In a process that was forked: let go, so that the file can be opened here."""
        self._spool.abandon()
        self._store.close()


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
        if file is None:
            return None
        try:
            opened = _open[folder] = _Opened(places, peppers, file)
        except lmdb.Error:
            return None
        return opened


def _forked() -> None:
    """A fork may come while another thread holds the lock; the child has no such thread."""
    global _lock
    _lock = threading.Lock()


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
