"""Counts the calls of an account to this API: ``limits.per_account`` holds here too.

All processes of the control plane on a host count together, as the workers of a node do. It is another API
than those that nodes protect, with the whole limit for itself.
"""

from __future__ import annotations

import os
import threading
import time

from django.conf import settings
from django.http import HttpResponse

from retinue.decision import Quota
from retinue.limits import Limiter
from retinue.problem import quota_fields
from retinue.replica.narrowing import Rate

LOOK_SECONDS = 1.0


class Counting:
    """The counters of this process; they are opened when the first account with a limit calls."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._limiter: Limiter | None = None
        self._pid = 0
        self._looked = 0.0

    def take(self, account: str, rate: Rate, now_ms: int, nodes: int) -> Quota | None:
        """Count one call if the limit allows it, as :meth:`Limiter.take` does. Raises ``OSError``."""
        with self._lock:
            return self._opened().take(account, rate, now_ms, 1)

    def _opened(self) -> Limiter:
        now = time.monotonic()
        if self._limiter is None or self._pid != os.getpid():
            self._limiter = Limiter.claim(settings.INSTALLATION.home / "limits", "control-plane")
            self._pid, self._looked = os.getpid(), now
        elif now - self._looked >= LOOK_SECONDS:
            self._limiter.refresh()
            self._looked = now
        return self._limiter


counting = Counting()


def tell(answer: HttpResponse, quota: Quota | None) -> HttpResponse:
    """Add to an answer what its caller may still ask, if there is a limit; return it."""
    if quota is not None:
        for name, value in quota_fields(quota).items():
            answer[name] = value
    return answer
