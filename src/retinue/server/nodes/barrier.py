"""Waits after a change until the connected followers have applied it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.db import connection
from django.utils import timezone

from retinue.server.nodes import wake
from retinue.server.nodes.models import Lease
from retinue.server.nodes.queries import CONNECTED

#: On PostgreSQL another process may hear the acknowledgement: look again at least so often.
_LOOK_AGAIN_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class BarrierResult:
    """Which nodes have applied the revision, which have not, and how long it took."""

    confirmed: tuple[str, ...]
    waiting: tuple[str, ...]
    waited_ms: float

    @property
    def complete(self) -> bool:
        """Whether every connected follower has applied it."""
        return not self.waiting


def wait(revision: int, timeout_s: float = 1.0) -> BarrierResult:
    """Wait until every connected follower has applied ``revision``, at most ``timeout_s`` seconds."""
    began = time.monotonic()
    while True:
        seen = wake.acknowledgements.rings
        confirmed, waiting = _progress(revision)
        elapsed = time.monotonic() - began
        if not waiting or elapsed >= timeout_s:
            return BarrierResult(confirmed, waiting, elapsed * 1000)
        left = timeout_s - elapsed
        wake.acknowledgements.wait(
            seen, min(left, _LOOK_AGAIN_SECONDS) if connection.vendor != "sqlite" else left
        )


def _progress(revision: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    rows = Lease.objects.filter(
        is_superseded=False, node__state="enrolled", last_contact_at__gt=timezone.now() - CONNECTED
    ).values_list("node__name", "revision")
    return (
        tuple(sorted(name for name, applied in rows if applied >= revision)),
        tuple(sorted(name for name, applied in rows if applied < revision)),
    )
