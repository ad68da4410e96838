"""The queue of those who want to write to SQLite: one is let in at a time, polls of nodes before others."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Door:
    """A lock for one thread at a time, which may take it again inside."""

    def __init__(self) -> None:
        self._inside = threading.Lock()
        #: Whoever holds this is the next of those who are not let in first.
        self._next = threading.Lock()
        self._owner: int | None = None

    @contextmanager
    def enter(self, seconds: float, *, first: bool = False) -> Iterator[bool]:
        """Enter within ``seconds``; yields whether that was possible.

        ``first`` lets whoever is inside leave, and perhaps one more that came before; no queue is before it.
        """
        if self._owner == threading.get_ident():
            yield True
            return
        if not self._taken(seconds, first=first):
            yield False
            return
        self._owner = threading.get_ident()
        try:
            yield True
        finally:
            self._owner = None
            self._inside.release()

    def _taken(self, seconds: float, *, first: bool) -> bool:
        if first:
            return self._inside.acquire(timeout=seconds)
        ends = time.monotonic() + seconds
        if not self._next.acquire(timeout=seconds):
            return False
        try:
            return self._inside.acquire(timeout=max(ends - time.monotonic(), 0.0))
        finally:
            self._next.release()
