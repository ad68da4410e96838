"""How many calls of one principal may run at once. Nodes are not counted: their polls are held on purpose."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from retinue.server.api.call import Call
from retinue.server.api.guard import Access
from retinue.server.errors import Refused

MAX_IN_FLIGHT = 20

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
