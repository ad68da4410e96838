"""How many calls of one principal run at once, how many bodies are on their way, and how long a call lasts.

Polls are held on purpose; how many, is said in ``nodes.wake``.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError

from retinue.server.api.call import Call
from retinue.server.api.guard import Access
from retinue.server.errors import Refused
from retinue.server.nodes import wake


class Places:
    """So many may do something at once, and so many of them for one party."""

    def __init__(self, total: int, each: int) -> None:
        self.total = total
        self.each = each
        self._taken: Counter[str] = Counter()
        self._condition = threading.Condition()

    @contextmanager
    def take(self, party: str, seconds: float = 0.0) -> Iterator[bool]:
        """Take a place for ``party``, waiting for one at most ``seconds``; yield whether there was one."""
        with self._condition:
            has_place = self._condition.wait_for(lambda: self._is_free(party), seconds)
            self._taken[party] += has_place
        try:
            yield has_place
        finally:
            with self._condition:
                self._taken[party] -= has_place
                if not self._taken[party]:
                    del self._taken[party]
                self._condition.notify_all()

    def _is_free(self, party: str) -> bool:
        return self._taken[party] < self.each and self._taken.total() < self.total


#: Calls of one principal, and of one node: two polls, and what a node does beside them.
CALLS = Places(1_000, 20)
NODE_CALLS = Places(1_000, 8)

#: Bodies that may be on their way at once: of forms, which strangers send, of the API, and of nodes. Who
#: announces one and sends nothing holds a thread; so many can be held, and the others stay free.
FORMS = Places(8, 8)
BODIES = Places(24, 4)
NODE_BODIES = Places(16, 2)
_BODY_WAIT_SECONDS = 0.2

#: Calls that wait for a receipt. Without a place the answer says what is known now.
WAITING_CHANGES = Places(16, 8)

#: Threads that can be held in this way, with all places taken.
MOST_HELD_THREADS = sum(each.total for each in (FORMS, BODIES, NODE_BODIES, WAITING_CHANGES))


@contextmanager
def in_flight(call: Call, needs: tuple[str, ...] | Access) -> Iterator[None]:
    """Count a call while it runs. Refuses one too many of the same principal or node."""
    if needs is Access.PUBLIC:
        yield
        return
    places = CALLS if call.node is None else NODE_CALLS
    with places.take(call.actor.id) as has_place:
        if not has_place:
            raise Refused("rate_limited", f"at most {places.each} calls of one caller at once")
        yield


def read_body(request: HttpRequest, places: Places, party: str) -> bytes:
    """Return the body. Raises :class:`Refused` if it ends early, or if too many are on their way."""
    with places.take(party, _BODY_WAIT_SECONDS) as has_place:
        if not has_place:
            raise Refused("rate_limited", "too many bodies are on their way; try again")
        # Whoever sends slowly keeps a thread, and no connection to the database.
        wake.release_connection()
        try:
            return request.body
        except UnreadablePostError:
            raise Refused("bad_request", "the body ended before its announced length") from None


#: A call takes 10 s at most: no statement begins later than this, the last one runs for at most 5 s (the
#: database's own timeout), and the barrier takes one.
START_SECONDS = 4.0
_HELD = "/v1/feed/poll"


class OutOfTime(OperationalError):
    """The call has used up its time."""


class CallTime:
    """Django middleware: a call that is out of time is refused at its next statement and rolls back."""

    def __init__(self, answer: Callable[[HttpRequest], HttpResponse]) -> None:
        self._answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer; out of time, the API's handlers make it 503 ``database_unavailable``."""
        if not request.path.startswith("/v1/") or request.path == _HELD:
            return self._answer(request)
        with timed(request):
            return self._answer(request)


@contextmanager
def timed(request: HttpRequest) -> Iterator[None]:
    """Begin the time of a call: what is inside runs out of it at a statement."""
    clock = _Clock()
    request.retinue_clock = clock  # type: ignore[attr-defined]
    # Not by ``execute_wrapper``, which takes the last one away: if somebody put one on meanwhile, the clock
    # would stay, and once it has run out the thread would refuse every statement of every later call.
    connection.execute_wrappers.append(clock)
    try:
        yield
    finally:
        connection.execute_wrappers.remove(clock)


class _Clock:
    def __init__(self) -> None:
        self.ends_at = time.monotonic() + START_SECONDS

    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        if time.monotonic() > self.ends_at:
            raise OutOfTime("the call is out of time")
        return execute(sql, params, many, context)


def allow(request: HttpRequest, seconds: float) -> None:
    """Give a call so much time from now on, for what must follow its commit."""
    request.retinue_clock.ends_at = time.monotonic() + seconds  # type: ignore[attr-defined]
