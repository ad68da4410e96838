"""The control plane's own decisions in the request log: spooled like a node's, and stored in batches.

Each process appends to a spool of its own in ``$RETINUE_HOME/control-spool`` and stores it a few times a
second, so nothing is written to the database on the path of a call, and a killed process loses nothing:
another one stores what it left. Storing twice is storing once, so any process may do it at any time.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from pathlib import Path

import msgspec
from django.conf import settings
from django.db import DatabaseError

from retinue.server.nodes import wake
from retinue.server.traffic import rules
from retinue.server.traffic.actions import ingest
from retinue.usage import Entry, Spool, SpoolTail, spools

__all__ = ["CONTROL_PLANE", "Entry", "append", "start", "store_all"]

#: Stands where other records name their node. No node can have a name with a blank.
CONTROL_PLANE = "control plane"
SEGMENT_BYTES = 1 << 20
PAUSE_SECONDS = 0.25
_log = logging.getLogger("retinue.traffic")
_lock = threading.Lock()
_spool: Spool | None = None
_thread: _Storing | None = None


def append(entry: Entry) -> None:
    """Log a decision. Never raises: a full disk takes the log, not the call."""
    global _spool
    try:
        with _lock:
            if _spool is None:
                _spool = Spool(_folder(), "control", segment_bytes=SEGMENT_BYTES)
            is_kept = _spool.append(entry)
    except OSError as error:
        _log.error("the request log could not be written: %s", error.strerror)
        return
    if not is_kept:
        _log.error("the request log is full: a decision about %s is not in it", entry.credential_id)


def store_all() -> None:
    """Store what every process of this host has logged until now. Not inside a transaction."""
    for path in _spools():
        while path.exists():
            with suppress(FileNotFoundError):  # its process stored and removed a part meanwhile
                _store(SpoolTail(path))
                break


def start() -> None:
    """Store in the background from now on. Twice is once."""
    global _thread
    with _lock:
        if _thread is None:
            _thread = _Storing()
            _thread.start()


def _folder() -> Path:
    home: Path = settings.INSTALLATION.home
    return home / "control-spool"


def _spools() -> list[Path]:
    """Return the spools of this host's processes; whatever else lies there is none."""
    return [path for path in spools(_folder()) if rules.is_spool_name(path.name)]


def _store(tail: SpoolTail) -> None:
    """Store a spool to its present end, from where the database says."""
    try:
        tail.seek(ingest(CONTROL_PLANE, tail.name, 0, []))
        _store_rest(tail)
    finally:
        tail.close()


def _store_rest(tail: SpoolTail) -> None:
    while True:
        first, entries = tail.read(rules.MAX_RECORDS)
        if not entries:
            return
        records = [rules.Entry(**msgspec.structs.asdict(entry)) for entry in entries]
        ingest(CONTROL_PLANE, tail.name, first, records)


class _Storing(threading.Thread):
    """Stores this process's spool, and those whose process has ended; deletes what is stored."""

    def __init__(self) -> None:
        super().__init__(name="retinue-request-log", daemon=True)
        self._tails: dict[str, SpoolTail] = {}
        self._failing: set[str] = set()

    def run(self) -> None:
        """Store for as long as the process lives, come what may; what is left then, the next one stores."""
        while True:
            time.sleep(PAUSE_SECONDS)
            try:
                self.round()
                wake.release_connection()
            except Exception:
                _log.exception("storing the request log: it is kept, and tried again")

    def round(self) -> None:
        """Store what is there now; a spool that cannot be stored does not keep up the others."""
        with _lock:
            own = None if _spool is None else _spool.name
        for path in _spools():
            try:
                self._store(path, is_own=path.name == own)
                self._failing.discard(path.name)
            except Exception as error:
                self._failed(path.name, error)
        with _lock:
            if _spool is not None:
                _spool.prepare()

    def _failed(self, name: str, error: Exception) -> None:
        """Say once that a spool cannot be stored, and ask anew where it stands."""
        self._tails.pop(name, None)
        if name not in self._failing:
            self._failing.add(name)
            trace = None if isinstance(error, DatabaseError | OSError) else error
            _log.warning("storing %s: %s; it is kept", name, type(error).__name__, exc_info=trace)

    def _store(self, path: Path, *, is_own: bool) -> None:
        tail = self._tails.get(path.name) or SpoolTail(path)
        is_left = not is_own and tail.writer_gone()
        if not is_own and not is_left:
            return
        if path.name not in self._tails:
            tail.seek(ingest(CONTROL_PLANE, path.name, 0, []))
            self._tails[path.name] = tail
        _store_rest(tail)
        tail.release(tail.next)
        if is_left and tail.remove():
            del self._tails[path.name]
