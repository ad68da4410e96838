"""Good traffic beside a probe: what a hostile peer must not disturb."""

from __future__ import annotations

import threading
import time

from tests.node.wire import Reply, Wire
from tests.node.world import Node
from tests.support import watch

#: Seconds that the node bears a slow peer; a good request must never take as long.
LIMIT_SECONDS = 5.0


class GoodTraffic(threading.Thread):
    """Asks good questions, one after the other, until it is told to stop."""

    def __init__(self, node: Node) -> None:
        super().__init__(daemon=True)
        self.node = node
        self.answered = 0
        self.slowest = 0.0
        self.failures: list[str] = []
        self._ending = threading.Event()

    def run(self) -> None:
        """Ask; note whatever is not a good answer."""
        while not self._ending.is_set():
            seconds = watch.start()
            try:
                if not self.node.is_good():
                    self.failures.append("denied")
            except OSError as error:
                self.failures.append(repr(error))
            self.answered += 1
            self.slowest = max(self.slowest, seconds())

    def end(self) -> None:
        """Stop after at least one more good answer."""
        wanted = self.answered + 2
        deadline = time.monotonic() + 60
        while self.answered < wanted and time.monotonic() < deadline:
            time.sleep(0.005)
        self._ending.set()
        self.join(60)


def probe(node: Node, data: bytes) -> Reply:
    """Send ``data``; the answer must be the only one, and the connection must end with it."""
    with Wire(node.port) as wire:
        wire.send(data)
        replies = list(wire.replies())

    assert 1 == len(replies)
    assert "close" == replies[0].fields["connection"]
    return replies[0]
