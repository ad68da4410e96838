"""Wakes held polls when a revision is committed, and barriers when a node acknowledges one.

A commit of this process is heard at once; on PostgreSQL a thread listens for the commits of other
processes. Being woken is a hint: whoever wakes reads the database.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connection

from retinue.server.ledger import transaction as ledger
from retinue.server.ledger.rows import CHANNEL

_log = logging.getLogger("retinue.feed")
#: Polls held at once; with more, polls are answered at once, so that threads are left for other calls. A
#: thread that only waits costs next to nothing.
MAX_HELD = 256
#: Of one node: the poll of its follower, and that of the one before, whose connection nobody has closed.
MAX_HELD_EACH = 2
_BACKOFF_SECONDS = (0.05, 2.0)
#: How long the listening connection may be silent before it is tried whether it still lives.
_SILENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Ticket:
    """A moment. What happens after it wakes whoever waits with it."""

    pulses: int


class Wake:
    """A condition on "something happened", with the latest revision that was heard of."""

    def __init__(self, max_held: int = MAX_HELD) -> None:
        self.max_held = max_held
        self._condition = threading.Condition()
        self._revision = 0
        self._pulses = 0
        self._held: Counter[str] = Counter()
        self._is_closed = False
        #: Nodes poll in this process, and a pulse comes when they have confirmed a change.
        self.is_fed = False
        #: Called, from any thread, when something may have happened.
        self.listeners: list[Callable[[], object]] = []

    @property
    def is_closed(self) -> bool:
        """Whether nobody waits any more: the process ends."""
        return self._is_closed

    @property
    def held(self) -> int:
        """How many polls are held now."""
        return self._held.total()

    def ticket(self) -> Ticket:
        """Take a ticket before reading what is then waited for."""
        with self._condition:
            return Ticket(self._pulses)

    def announce(self, revision: int) -> None:
        """Say that ``revision`` is committed."""
        with self._condition:
            self._revision = max(self._revision, revision)
            self._condition.notify_all()
        self._tell()

    def pulse(self) -> None:
        """Wake everybody once: something may have happened."""
        with self._condition:
            self._pulses += 1
            self._condition.notify_all()
        self._tell()

    def hold(self, ticket: Ticket, revision: int, seconds: float, node: str = "") -> None:
        """Wait until a revision after ``revision`` is heard of, a pulse after ``ticket``, or ``seconds``.

        Returns at once when closed, or when as many polls are held as may be, of all or of this ``node``.
        """
        with self._condition:
            if self._is_closed or self.held >= self.max_held or self._held[node] >= MAX_HELD_EACH:
                return
            self._held[node] += 1
            try:
                self._condition.wait_for(
                    lambda: self._is_closed or self._revision > revision or self._pulses != ticket.pulses,
                    seconds,
                )
            finally:
                self._held[node] -= 1
                if not self._held[node]:
                    del self._held[node]

    def wait(self, ticket: Ticket, seconds: float) -> Ticket:
        """Wait for a pulse after ``ticket``, at most ``seconds``; return the next ticket."""
        with self._condition:
            self._condition.wait_for(lambda: self._is_closed or self._pulses != ticket.pulses, seconds)
            return Ticket(self._pulses)

    def open(self) -> None:
        """Hold polls (again), knowing of no revision."""
        with self._condition:
            self._revision = 0
            self._is_closed = False

    def close(self) -> None:
        """Release everybody who waits, now and from now on."""
        with self._condition:
            self._is_closed = True
            self._condition.notify_all()
        self._tell()

    def _tell(self) -> None:
        for listener in self.listeners:
            listener()


#: Held polls wait here for commits, barriers for acknowledgements.
commits = Wake()
acknowledgements = Wake()

_lock = threading.Lock()
_listener: Listener | None = None
_is_subscribed = False


def start(max_held: int = MAX_HELD) -> None:
    """Begin to hear of commits in this process, and on PostgreSQL of those of others. Twice is once."""
    global _listener, _is_subscribed
    with _lock:
        commits.max_held = max_held
        commits.open()
        acknowledgements.open()
        if not _is_subscribed:
            ledger.on_revision(commits.announce)
            _is_subscribed = True
        if connection.vendor == "postgresql" and _listener is None:
            _listener = Listener(commits)
            _listener.start()


def close() -> None:
    """Answer all held polls and stop listening; for the end of the process."""
    global _listener
    with _lock:
        commits.close()
        acknowledgements.close()
        if _listener is not None:
            _listener.stop()
            _listener = None


def listener() -> Listener | None:
    """Return the thread that hears the commits of other processes; ``None`` where there are none."""
    return _listener


def release_connection() -> None:
    """Give this thread's database connection back before a wait; an open transaction would be an error."""
    if connection.in_atomic_block:
        raise RuntimeError("a poll is never held inside a transaction")
    if connection.vendor == "postgresql":
        connection.close()


class Listener(threading.Thread):
    """Hears ``NOTIFY`` on a connection of its own; after each reconnect everybody wakes once."""

    def __init__(self, wake: Wake) -> None:
        super().__init__(name="retinue-listen", daemon=True)
        self._wake = wake
        self._is_stopped = threading.Event()
        self.is_listening = threading.Event()

    def stop(self) -> None:
        """Ask the thread to end; it does within a second."""
        self._is_stopped.set()

    def run(self) -> None:
        """Listen until stopped; a lost connection is made anew, with growing pauses."""
        import psycopg

        pause = _BACKOFF_SECONDS[0]
        while not self._is_stopped.is_set():
            try:
                self._listen()
                pause = _BACKOFF_SECONDS[0]
            except psycopg.Error as error:
                if self.is_listening.is_set():
                    pause = _BACKOFF_SECONDS[0]
                self.is_listening.clear()
                _log.warning("listening for commits: %s; again in %.2f s", type(error).__name__, pause)
                self._is_stopped.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311  (spreads reconnects)
                pause = min(pause * 2, _BACKOFF_SECONDS[1])

    def _listen(self) -> None:
        with _connect() as listening:
            listening.execute(f"LISTEN {CHANNEL}")
            # Whatever was committed while nobody listened: everybody looks once.
            self.is_listening.set()
            self._wake.pulse()
            heard = time.monotonic()
            while not self._is_stopped.is_set():
                for notice in listening.notifies(timeout=0.5):
                    self._wake.announce(int(notice.payload))
                    heard = time.monotonic()
                    if self._is_stopped.is_set():
                        return
                if time.monotonic() - heard > _SILENCE_SECONDS:
                    listening.execute("SELECT 1")
                    heard = time.monotonic()


def _connect() -> Any:
    """Open a connection of its own to Django's database."""
    import psycopg

    settings = connection.settings_dict
    given = {
        "dbname": settings["NAME"],
        "user": settings["USER"],
        "password": settings["PASSWORD"],
        "host": settings["HOST"],
        "port": settings["PORT"],
    }
    options = {name: value for name, value in settings["OPTIONS"].items() if name != "pool"}
    return psycopg.connect(
        **{name: value for name, value in (given | options).items() if value},
        autocommit=True,
        application_name="retinue-listen",
    )
