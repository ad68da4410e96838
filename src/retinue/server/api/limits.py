"""How many calls of one principal run at once, how many bodies are on their way, and how long a call lasts.

Nodes are exempt: their polls are held on purpose.
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

MAX_IN_FLIGHT = 20

#: Bodies that may be on their way at once: of forms, which strangers send, and of the API. Who announces one
#: and sends nothing holds a thread; so many can be held, and the others stay free.
FORMS = threading.BoundedSemaphore(8)
BODIES = threading.BoundedSemaphore(24)
_BODY_WAIT_SECONDS = 0.2

_running: Counter[str] = Counter()
_lock = threading.Lock()


@contextmanager
def in_flight(call: Call, needs: tuple[str, ...] | Access) -> Iterator[None]:
    """Count a call while it runs. Refuses one too many of the same principal."""
    if needs in (Access.PUBLIC, Access.NODE):
        yield
        return
    principal = call.actor.id
    with _lock:
        if _running[principal] >= MAX_IN_FLIGHT:
            raise Refused("rate_limited", f"at most {MAX_IN_FLIGHT} calls of one principal at once")
        _running[principal] += 1
    try:
        yield
    finally:
        with _lock:
            _running[principal] -= 1
            if not _running[principal]:
                del _running[principal]


def read_body(request: HttpRequest, places: threading.Semaphore) -> bytes:
    """Return the body. Raises :class:`Refused` if it ends early, or if too many are on their way."""
    is_node = request.path.startswith("/v1/feed/")
    if not is_node and not places.acquire(timeout=_BODY_WAIT_SECONDS):
        raise Refused("rate_limited", "too many bodies are on their way; try again")
    try:
        return request.body
    except UnreadablePostError:
        raise Refused("bad_request", "the body ended before its announced length") from None
    finally:
        if not is_node:
            places.release()


#: A call takes 10 s at most: no statement begins later than this, the last one runs for at most 5 s (the
#: database's own timeout), and the barrier takes one.
START_SECONDS = 4.0
_HELD = "/v1/feed/poll"


class CallTime:
    """Django middleware: a call that is out of time is refused at its next statement and rolls back."""

    def __init__(self, answer: Callable[[HttpRequest], HttpResponse]) -> None:
        self._answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer; out of time, the API's handlers make it 503 ``database_unavailable``."""
        if not request.path.startswith("/v1/") or request.path == _HELD:
            return self._answer(request)
        clock = _Clock()
        request.retinue_clock = clock  # type: ignore[attr-defined]
        with connection.execute_wrapper(clock):
            return self._answer(request)


class _Clock:
    def __init__(self) -> None:
        self.ends_at = time.monotonic() + START_SECONDS

    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        if time.monotonic() > self.ends_at:
            raise OperationalError("the call is out of time")
        return execute(sql, params, many, context)


def allow(request: HttpRequest, seconds: float) -> None:
    """Give a call so much time from now on, for what must follow its commit."""
    request.retinue_clock.ends_at = time.monotonic() + seconds  # type: ignore[attr-defined]
