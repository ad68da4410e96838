"""Keeps the Merkle log up with the events, and looks at it when asked: one thread in each process.

A commit of this process is in the log within a second, or with 256 others; that of one which has died a
little later, by another.
"""

from __future__ import annotations

import logging
import threading

from django.db import connection

from retinue.server.ledger import verifying
from retinue.server.ledger.appending import AT_ONCE, Broken, Signer
from retinue.server.ledger.transaction import on_revision

#: Commits of other processes are looked for so often; those of this one are gathered for so long.
EVERY_SECONDS, GATHERED_SECONDS = 5.0, 0.5
#: Between full batches, so that writers come first.
PAUSE_SECONDS = 0.01

_log = logging.getLogger("retinue.ledger")
_lock = threading.Lock()
_keeper: Keeper | None = None


def start(signer: Signer) -> None:
    """Keep the log from now on, until :func:`stop` or the end of the process. Twice is once."""
    global _keeper
    with _lock:
        if _keeper is None:
            _keeper = Keeper(signer)
            on_revision(_keeper.hear)
            _keeper.start()


def stop() -> None:
    """Stop after what is being appended now. Waits for nothing, so that a signal may call it."""
    global _keeper
    keeper, _keeper = _keeper, None
    if keeper is not None:
        keeper.end()


def keeper() -> Keeper | None:
    """Return the thread of this process."""
    return _keeper


class Keeper(threading.Thread):
    """The thread."""

    def __init__(self, signer: Signer) -> None:
        # A daemon: it never holds up the end of the process, and what it was appending is rolled back.
        super().__init__(name="retinue-ledger", daemon=True)
        self._signer = signer
        self._awake, self._full = threading.Event(), threading.Event()
        self._waiting = 0
        self._is_stopping = False
        self._said = ""
        self._asked, self._looked = 0, 0
        self._seen = threading.Condition()

    def hear(self, _revision: int) -> None:
        """Note a commit of this process."""
        self._waiting += 1
        if self._waiting >= AT_ONCE:
            self._full.set()
        self._awake.set()

    def end(self) -> None:
        """Append no more."""
        self._is_stopping = True
        self._full.set()
        self._awake.set()

    def look(self, seconds: float) -> bool:
        """Have the rows looked at, and wait for it as long; return whether that is done."""
        with self._seen:
            self._asked += 1
            mine = self._asked
            self._full.set()
            self._awake.set()
            return self._seen.wait_for(lambda: self._looked >= mine, seconds)

    def run(self) -> None:
        """Append what there is, until the end."""
        while not self._is_stopping:
            try:
                self._append()
                self._look()
            except Exception:
                _log.exception("the audit log was not appended to; tried again later")
            finally:
                connection.close_if_unusable_or_obsolete()
            if self._awake.wait(EVERY_SECONDS):
                self._full.wait(GATHERED_SECONDS)
            self._awake.clear()
            self._full.clear()
            self._waiting = 0

    def _append(self) -> None:
        try:
            while not self._is_stopping and self._signer.append() == AT_ONCE:
                self._full.wait(PAUSE_SECONDS)
            self._said = ""
        except Broken as broken:
            if str(broken) != self._said:
                _log.error("the audit log is not signed: %s", broken)
            self._said = str(broken)
            verifying.note(str(broken))

    def _look(self) -> None:
        asked = self._asked
        if asked == self._looked:
            return
        try:
            for trouble in verifying.verify(self._signer.outside.read(), between=self._append):
                _log.error("the audit log is not what was signed: %s", trouble)
        finally:
            with self._seen:
                self._looked = asked
                self._seen.notify_all()
