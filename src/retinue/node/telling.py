"""Tells the control plane how this node is: its version, how much it knows, and how fast it decides.

All of it is there already: the replica holds the credentials, and the workers count how long they took for
what Prometheus asks. So no decision does anything for this, and no poll waits for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextlib import closing
from pathlib import Path
from typing import Any

import lmdb

from retinue import __version__
from retinue.node import metrics
from retinue.node.complaints import Complaint
from retinue.node.credential import NodeToken
from retinue.node.feed_client import FeedClient, FeedError
from retinue.node.replica_writer import ReplicaWriter
from retinue.node.settings import Settings
from retinue.replica.records import Kind

_log = logging.getLogger("retinue.follower")
TIMEOUT_SECONDS = 5.0
#: It tells once a minute, soon after its start, and seldom where nobody understands it: an older version.
FIRST_SECONDS = 1.0
PAUSE_SECONDS = 60.0
REFUSED_PAUSE_SECONDS = 3600.0
#: So many tellings back the durations begin that a telling is about: five minutes.
WINDOW = 5
#: Longer than this is not told about.
MOST_WINDOW_SECONDS = 3600.0
#: So many credentials are counted before the replica is let go for whoever writes it.
AT_ONCE = 5_000
#: Whoever waits for the lock gets it in this pause: a lock that is taken again at once goes to nobody else.
BETWEEN_SECONDS = 0.001
_REFUSED = frozenset({400, 404, 422})


class Telling:
    """What this process tells of its node, and when it does the next time."""

    def __init__(self, settings: Settings, token: NodeToken, replica: ReplicaWriter, folder: Path) -> None:
        """``folder`` is where the workers of this host count."""
        self._settings = settings
        self._token = token
        self._replica = replica
        self._folder = folder
        self._complaint = Complaint(_log, "telling the control plane how this node is")
        self._due = time.monotonic() + FIRST_SECONDS
        self._is_at_work = False
        self._count = _Count(replica)
        #: When a telling was, and which durations had been counted until then.
        self._before = deque([(time.monotonic(), metrics.durations(folder))], maxlen=WINDOW)

    def tell_if_due(self) -> None:
        """Tell if it is time, on a thread of its own."""
        if self._is_at_work or time.monotonic() < self._due or not self._replica.meta.complete:
            return
        self._is_at_work = True
        try:
            threading.Thread(target=self._tell, name="retinue-telling", daemon=True).start()
        except RuntimeError as error:  # no thread can be had; what a node decides does not depend on this
            self._complaint.failed(error)
            self._due = time.monotonic() + PAUSE_SECONDS
            self._is_at_work = False

    def _tell(self) -> None:
        pause = PAUSE_SECONDS
        try:
            with closing(FeedClient(self._settings.control_url, self._token)) as client:
                client.announce({"node": self._settings.node_name, "about": self.about()}, TIMEOUT_SECONDS)
            self._complaint.worked()
        except (FeedError, lmdb.Error, OSError) as error:
            self._complaint.failed(error)
            if isinstance(error, FeedError) and error.status in _REFUSED:
                pause = REFUSED_PAUSE_SECONDS
        finally:
            self._due = time.monotonic() + pause
            self._is_at_work = False

    def about(self) -> dict[str, Any]:
        """Return what is told. Raises ``lmdb.Error`` and ``OSError`` if it cannot be read."""
        now, durations = time.monotonic(), metrics.durations(self._folder)
        since, before = self._before[0]
        if now - since > MOST_WINDOW_SECONDS:  # the replica took long to be complete, or the machine slept
            since, before = now, durations
            self._before.clear()
        lately = [max(now - then, 0) for now, then in zip(durations, before, strict=True)]
        self._before.append((now, durations))
        about: dict[str, Any] = {
            "version": __version__,
            "credentials": self._count.credentials(),
            "decisions": sum(lately),
            "window_seconds": int(now - since),
        }
        told = {"p50_ns": metrics.quantile_ns(lately, 0.5), "p99_ns": metrics.quantile_ns(lately, 0.99)}
        return about | {name: value for name, value in told.items() if value is not None}


class _Count:
    """How many credentials a replica holds."""

    def __init__(self, replica: ReplicaWriter) -> None:
        self._replica = replica
        self._counted: tuple[tuple[int, int], int] | None = None

    def credentials(self) -> int:
        """Return how many; counted anew only if anything has changed."""
        position = self._replica.position
        if self._counted is None or self._counted[0] != position:
            self._counted = position, self._count()
        return self._counted[1]

    def _count(self) -> int:
        """Count in parts: whoever writes meanwhile waits for one of them at most."""
        total, after = 0, ""
        while True:
            with self._replica.reading() as snapshot:
                counted, after = snapshot.count(Kind.CREDENTIAL, after, AT_ONCE)
            total += counted
            if not after:
                return total
            time.sleep(BETWEEN_SECONDS)
