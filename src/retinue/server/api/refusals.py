"""A change that a rule refused is an event too: who tried what, and which rule said no."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque

from django.db import DatabaseError

from retinue.server.ledger.transaction import Actor, transaction

MAX_A_MINUTE = 30
_WINDOW_SECONDS = 60.0
_MAX_PRINCIPALS = 10_000
_log = logging.getLogger("retinue.api")


class Budget:
    """At most so many events of one principal in a minute: the log must not be filled by a loop."""

    def __init__(self, most: int = MAX_A_MINUTE) -> None:
        self._most = most
        self._seen: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def take(self, principal: str, now: float | None = None) -> bool:
        """Tell whether one more event of ``principal`` may be recorded, and count it."""
        at = time.monotonic() if now is None else now
        with self._lock:
            if len(self._seen) >= _MAX_PRINCIPALS and principal not in self._seen:
                self._seen.clear()
            seen = self._seen.setdefault(principal, deque(maxlen=self._most))
            if len(seen) == self._most and at - seen[0] < _WINDOW_SECONDS:
                return False
            seen.append(at)
            return True


budget = Budget()


def record(
    actor: Actor, operation: str, code: str, required: tuple[str, ...] = (), objects: str = ""
) -> None:
    """Record that ``actor`` was refused, in a transaction of its own. Never raises for the database."""
    if not budget.take(actor.id):
        return
    after: dict[str, object] = {"code": code}
    if required:
        after["required"] = list(required)
    if objects:
        after["object"] = objects
    try:
        with transaction(actor) as tx:
            tx.record("change.refused", operation, organization=actor.organization, after=after)
    except DatabaseError as error:
        _log.warning("change.refused not recorded: %s, request %s", type(error).__name__, actor.request)
