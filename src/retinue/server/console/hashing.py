"""How many passwords are hashed at once: each takes 100 MiB, and strangers decide how many there are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

AT_ONCE = 2
#: Threads that may wait for a place; the others of this process are for other calls.
WAITING = 8
WAIT_SECONDS = 2.0

_places = threading.BoundedSemaphore(AT_ONCE)
_queue = threading.BoundedSemaphore(AT_ONCE + WAITING)


class Busy(Exception):
    """Too many sign-ins at once; a moment later there may be a place."""


@contextmanager
def place() -> Iterator[None]:
    """Hold one of the places for hashing in this process. Raises :class:`Busy`."""
    if not _queue.acquire(blocking=False):
        raise Busy
    try:
        if not _places.acquire(timeout=WAIT_SECONDS):
            raise Busy
        try:
            yield
        finally:
            _places.release()
    finally:
        _queue.release()
