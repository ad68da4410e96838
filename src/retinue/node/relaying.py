"""What makes a relay of a follower: it serves others beside following, and acknowledges for them.

The follower's own poll is held by the control plane while there is nothing new. What children confirm
meanwhile cannot wait for that: a second connection says it, by a poll that is not held and whose answer is
not read.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from retinue.node.children import Children, Follower, Position
from retinue.node.complaints import Complaint
from retinue.node.credential import NodeToken
from retinue.node.feed_client import FeedClient, FeedError
from retinue.node.follower_metrics import Counter, FollowerMetrics
from retinue.node.forwarding import Forwarder
from retinue.node.relay import Relay
from retinue.node.relay_routes import Changed, RelayRoutes
from retinue.node.relay_server import RelayServer
from retinue.node.replica_writer import ReplicaWriter
from retinue.node.settings import Settings
from retinue.pepper import Peppers
from retinue.replica import lease
from retinue.verifier import Verifier

_log = logging.getLogger("retinue.relay")
#: The control plane is told so often at most who follows, and of so many.
REPORT_SECONDS = 1.0
MOST_REPORTED = 1_000
TIMEOUT_SECONDS = 5.0
_PAUSE_SECONDS = 0.2
STOP_SECONDS = 2.0


#: A poll, and what it confirms.
Asked = tuple[dict[str, Any], Position]


class Relaying:
    """The parts of a relay. ``ask`` makes a poll that is not held, as things are."""

    def __init__(
        self,
        settings: Settings,
        replica: ReplicaWriter,
        children: Children,
        token: NodeToken,
        peppers: Peppers,
        metrics: FollowerMetrics,
        ask: Callable[[], Asked],
    ) -> None:
        self._settings = settings
        self._replica = replica
        self._children = children
        self._verifier = Verifier(replica, peppers, brands=settings.brands)
        self._metrics = metrics
        self._relay = Relay(replica, children)
        self._forwarder = Forwarder(settings.control_url, token)
        self._acknowledging = _Acknowledging(replica, children, FeedClient(settings.control_url, token), ask)
        self._server = RelayServer(settings.relay_host, settings.relay_port, self._routes)
        self._reported = 0.0

    def start(self) -> None:
        """Serve, and acknowledge for those who follow."""
        self._replica.on_written = self._written
        self._server.start()
        self._acknowledging.start()
        _log.info("relay listens on %s port %d", self._settings.relay_host, self._settings.relay_port)

    def stop(self) -> None:
        """Answer what is held, and end."""
        self._replica.on_written = lambda: None
        self._server.stop(STOP_SECONDS)
        self._acknowledging.stop()
        self._forwarder.close()

    @contextmanager
    def polling(self, question: dict[str, Any], confirmed: Position) -> Iterator[None]:
        """While the follower's own poll is on its way, say whatever is confirmed beyond it."""
        followers = self._report()
        if followers is not None:
            question["followers"] = followers
        self._acknowledging.said = confirmed
        try:
            yield
        finally:
            self._acknowledging.said = None

    def _report(self) -> list[Follower] | None:
        """Return who follows, if it is time to tell."""
        now = time.monotonic()
        if now - self._reported < REPORT_SECONDS:
            return None
        self._reported = now
        with self._replica.lock:
            now_ns = lease.boot_clock_ns()
            found = self._children.report(now_ns, MOST_REPORTED)
            behind = self._replica.meta.revision - self._children.confirmed(self._replica.position, now_ns)[1]
        self._metrics.set(Counter.FOLLOWED_BY, len(found))
        self._metrics.set(Counter.BEHIND, behind)
        return found

    def _routes(self, changed: Changed) -> RelayRoutes:
        return RelayRoutes(
            self._relay,
            self._verifier,
            self._forwarder,
            changed,
            self._settings.brands,
            self._acknowledging.look,
        )

    def _written(self) -> None:
        self._server.announce()
        self._acknowledging.look()


class _Acknowledging(threading.Thread):
    """Says what children have confirmed, as soon as it is more than the follower's own poll has said."""

    def __init__(
        self,
        replica: ReplicaWriter,
        children: Children,
        client: FeedClient,
        ask: Callable[[], Asked],
    ) -> None:
        super().__init__(name="retinue-acknowledging", daemon=True)
        self._replica = replica
        self._children = children
        self._client = client
        self._ask = ask
        self._looking = threading.Event()
        self._ending = threading.Event()
        self._failing = Complaint(_log, "acknowledging for those who follow")
        #: What the follower's own poll has said; ``None`` while none is on its way: the next one says it.
        self.said: Position | None = None

    def look(self) -> None:
        """Something may have been confirmed; from any thread."""
        self._looking.set()

    def stop(self) -> None:
        """End after what is under way."""
        self._ending.set()
        self._looking.set()
        self.join(STOP_SECONDS)
        self._client.close()

    def run(self) -> None:
        """Look whenever a child has said something, and when next something that was lent ends."""
        while not self._ending.is_set():
            self._looking.wait(self._pause())
            self._looking.clear()
            if self._ending.is_set():
                return
            said = self.said
            if said is not None and self._replica.confirmed() > said:
                self._say()

    def _pause(self) -> float | None:
        with self._replica.lock:
            now_ns = lease.boot_clock_ns()
            ends_ns = self._children.next_end_ns(now_ns)
        return None if ends_ns is None else max((ends_ns - now_ns) / 1e9, 0.001)

    def _say(self) -> None:
        question, confirmed = self._ask()
        try:
            self._client.poll(question, TIMEOUT_SECONDS)
        except FeedError as error:
            self._client.close()
            self._failing.failed(error)
            self._ending.wait(_PAUSE_SECONDS)
            self.look()
        else:
            self._failing.worked()
            self.said = max(confirmed, self.said or confirmed)
