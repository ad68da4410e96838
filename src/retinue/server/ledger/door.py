"""The queue of those who want to write to SQLite: one is let in at a time, polls of nodes before others."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

#: Who comes last lets others go first for so long, and looks so often whether none is there.
PATIENCE_SECONDS, LOOK_SECONDS = 0.2, 0.005


class Rank(Enum):
    """Who is let in when: before the queue, from the queue, or when there is none."""

    FIRST = 0
    NEXT = 1
    LAST = 2


class Door:
    """A lock for one thread at a time, which may take it again inside."""

    def __init__(self) -> None:
        self._inside = threading.Lock()
        #: Whoever holds this is the next of those who are not let in first.
        self._next = threading.Lock()
        self._owner: int | None = None

    @contextmanager
    def enter(self, seconds: float, rank: Rank = Rank.NEXT) -> Iterator[bool]:
        """Enter within ``seconds``; yields whether that was possible.

        Who is ``FIRST`` lets whoever is inside leave, and perhaps one more that came before; no queue is
        before it. Who is ``LAST`` enters when nobody is there, or queues after a while.
        """
        if self._owner == threading.get_ident():
            yield True
            return
        if not self._taken(seconds, rank):
            yield False
            return
        self._owner = threading.get_ident()
        try:
            yield True
        finally:
            self._owner = None
            self._inside.release()

    def _taken(self, seconds: float, rank: Rank) -> bool:
        ends = time.monotonic() + seconds
        if rank is Rank.FIRST:
            return self._inside.acquire(timeout=seconds)
        if rank is Rank.LAST and self._found_empty(min(seconds, PATIENCE_SECONDS)):
            return True
        if not self._next.acquire(timeout=max(ends - time.monotonic(), 0.0)):
            return False
        try:
            return self._inside.acquire(timeout=max(ends - time.monotonic(), 0.0))
        finally:
            self._next.release()

    def _found_empty(self, seconds: float) -> bool:
        """Take the door if nobody is inside or waits to be, within ``seconds``."""
        ends = time.monotonic() + seconds
        while True:
            if not self._next.locked() and self._inside.acquire(blocking=False):
                return True
            if time.monotonic() >= ends:
                return False
            time.sleep(LOOK_SECONDS)
