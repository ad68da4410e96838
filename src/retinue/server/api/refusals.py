"""A change that a rule refused is an event too: who tried what, and which rule said no."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque

from django.db import DatabaseError

from retinue.problem import CATALOGUE
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Actor, transaction

MAX_A_MINUTE = 30
#: Statuses of refusals that are events.
RECORDED = (403, 404, 409, 422)
_MOST_OBJECTS = 200
_WINDOW_SECONDS = 60.0
_MAX_PRINCIPALS = 10_000
_log = logging.getLogger("retinue.api")


class Quota:
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


quota = Quota()


def note(actor: Actor, operation: str, refused: Refused, objects: str) -> None:
    """Record that a change was refused, unless it is only badly written.

    Missing rights (403), a state or a limit (409), a rule (422), and objects that do not exist here (404):
    who tries ids of others does so. What is not a change that could be made (400) says nothing of anybody.
    """
    if refused.code in CATALOGUE and CATALOGUE[refused.code].status in RECORDED:
        record(actor, operation, refused.code, refused.required, objects)


def record(
    actor: Actor, operation: str, code: str, required: tuple[str, ...] = (), objects: str = ""
) -> None:
    """Record that ``actor`` was refused, in a transaction of its own. Never raises for the database.

    ``objects`` are the ids in the address, as the caller wrote them.
    """
    if not quota.take(actor.id):
        return
    after: dict[str, object] = {"code": code}
    if required:
        after["required"] = list(required)
    if objects:
        after["object"] = objects[:_MOST_OBJECTS]
    try:
        with transaction(actor) as tx:
            tx.record(
                "change.refused", operation, name=operation, organization=actor.organization, after=after
            )
    except DatabaseError as error:
        _log.warning("change.refused not recorded: %s, request %s", type(error).__name__, actor.request)
