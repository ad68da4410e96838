"""Lets calls go first: what is done in the background stands still while somebody waits for an answer.

Threads share one interpreter. One that computes for long makes each step of a call wait for its turn; so what
nobody waits for looks before each statement whether a call is being answered, and lets it be answered. That
has an end: it is put off, and done.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

#: A call may itself wait for long, so one statement is put off for so long at most; so far apart are looks.
ONE_SECONDS, LOOK_SECONDS = 0.05, 0.001
#: The threads that answer calls now.
_answering: set[int] = set()


@contextmanager
def answering() -> Iterator[None]:
    """Mark this thread as one that answers a call."""
    mine = threading.get_ident()
    _answering.add(mine)
    try:
        yield
    finally:
        _answering.discard(mine)


@contextmanager
def giving_way(most_seconds: float) -> Iterator[Patience]:
    """Put off this thread's statements while calls are answered, for so long in all. It must hold no lock."""
    patience = Patience(most_seconds)
    with connection.execute_wrapper(patience):
        yield patience


@contextmanager
def standing_back(most_seconds: float) -> Iterator[Callable[[], None]]:
    """Let this thread be no call that others give way to, whoever has asked for what it does.

    Yields what lets other calls be answered first, for so long in all. Call it with no lock held.
    """
    mine = threading.get_ident()
    was_answering = mine in _answering
    _answering.discard(mine)
    try:
        yield Patience(most_seconds).wait
    finally:
        if was_answering:
            _answering.add(mine)


class Patience:
    """How long statements may still be put off, and for how long they were."""

    def __init__(self, seconds: float) -> None:
        self._left, self.spent = seconds, 0.0

    def __call__(self, execute: Callable[..., Any], *given: Any) -> Any:
        self.wait()
        return execute(*given)

    def wait(self) -> None:
        """Let calls be answered, for as long as one statement is put off at most."""
        if _answering and self._left > 0:
            began, most = time.monotonic(), min(ONE_SECONDS, self._left)
            while _answering and time.monotonic() - began < most:
                time.sleep(LOOK_SECONDS)
            waited = time.monotonic() - began
            self._left, self.spent = self._left - waited, self.spent + waited
