"""When to tell those who wait for receipts that nodes have confirmed: once when all have, not once a node.

Whoever waits then reads all lease rows. With a hundred nodes that would be a hundred reads of a hundred rows
for each change. What is kept here is a hint; what counts stands in the rows.
"""

from __future__ import annotations

from collections.abc import Iterable

from retinue.server.ledger.feed import Position
from retinue.server.nodes import wake
from retinue.server.nodes.renewing import Place, Said
from retinue.server.nodes.rules import acknowledged

#: While some are missing, those who wait look so often at most.
AGAIN_SECONDS = 0.05
#: Who was not heard for so long is not waited for here; longer than any poll is held.
LATELY_SECONDS = 25.0


class Acknowledged:
    """What the nodes that poll here have confirmed, as far as this process was told."""

    def __init__(self) -> None:
        self._reached: dict[Place, tuple[tuple[int, int], float]] = {}
        self._has_news = False
        #: When those who wait must be told at the latest (``time.monotonic``).
        self.due: float | None = None

    def heard(self, polls: Iterable[Said], now: float) -> None:
        """Note what was recorded."""
        for each in polls:
            said = acknowledged(each.request)
            at = (said.epoch, said.revision)
            before = self._reached.get(each.place)
            if before is None or before[0] != at:
                self._has_news = True
            self._reached[each.place] = at, now
        wake.acknowledgements.is_fed = bool(self._reached)

    def look(self, head: Position, now: float) -> None:
        """Tell those who wait, if there is something new and all have come to the head; or a little later."""
        if not self._has_news:
            return
        at = (head.epoch, head.revision)
        behind = [place for place, (reached, _) in self._reached.items() if reached < at]
        for place in behind:
            if now - self._reached[place][1] > LATELY_SECONDS:
                del self._reached[place]
        wake.acknowledgements.is_fed = bool(self._reached)
        if any(place in self._reached for place in behind):
            self.due = self.due or now + AGAIN_SECONDS
            return
        self._tell()

    def settle(self, now: float) -> None:
        """Tell those who wait, if it is due."""
        if self.due is not None and now >= self.due:
            self._tell()

    def _tell(self) -> None:
        self._has_news, self.due = False, None
        wake.acknowledgements.pulse()
