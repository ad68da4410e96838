"""Wakes held polls and waiting changes: at once, by the commit itself, never by an interval.

In this process a commit wakes them directly. Other processes of the same PostgreSQL database hear of it
by NOTIFY. A wake is a hint: whoever wakes reads the database again.
"""

from __future__ import annotations

import logging
import threading
import time

import psycopg
from django.db import connection

from retinue.server.ledger import transaction as ledger

_log = logging.getLogger("retinue.feed")
_MOST_HELD = 32


class Bell:
    """A condition that counts how often it rang, so that no ring is missed between look and wait."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rings = 0
        self._closed = False

    @property
    def rings(self) -> int:
        """How often it rang so far."""
        return self._rings

    def ring(self) -> None:
        """Wake everybody who waits."""
        with self._condition:
            self._rings += 1
            self._condition.notify_all()

    def close(self) -> None:
        """Wake everybody, and hold nobody any more."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def wait(self, seen: int, seconds: float) -> bool:
        """Wait until it has rung since ``seen``; ``False`` if the time is over or it is closed."""
        with self._condition:
            return (
                self._condition.wait_for(lambda: self._rings != seen or self._closed, seconds)
                and not self._closed
            )


#: Rings at each commit that made a revision.
commits = Bell()
#: Rings when a node has acknowledged a revision.
acknowledgements = Bell()
#: Bounds the polls that are held at once: each occupies a thread.
held = threading.BoundedSemaphore(_MOST_HELD)


def start() -> None:
    """Connect the bells to the ledger; on PostgreSQL also listen to the other processes."""
    ledger.on_revision(lambda _: commits.ring())
    if connection.vendor == "postgresql":
        parameters = connection.get_connection_params()
        threading.Thread(target=_listen, args=(parameters,), name="retinue-listen", daemon=True).start()


def _listen(parameters: dict[str, object]) -> None:
    wanted = {"dbname", "user", "password", "host", "port", "options"}
    text = psycopg.conninfo.make_conninfo(
        "", **{key: value for key, value in parameters.items() if key in wanted}
    )
    pause = 0.1
    while True:
        try:
            with psycopg.connect(text, autocommit=True) as own:
                own.execute(f"LISTEN {ledger.CHANNEL}")
                pause = 0.1
                commits.ring()  # whatever was committed while nobody listened
                for _ in own.notifies():
                    commits.ring()
        except psycopg.Error as error:
            _log.warning("listen: %s; again in %.1f s", type(error).__name__, pause)
        time.sleep(pause)
        pause = min(pause * 2, 5.0)
