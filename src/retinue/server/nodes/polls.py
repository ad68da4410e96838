"""Polls that are answered together: which of them get the same answer, and which must know what is new."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from retinue.replica.clocks import Clock
from retinue.server.ledger import feed as ledger
from retinue.server.ledger.feed import Position
from retinue.server.nodes import receipts
from retinue.server.nodes.renewing import Said
from retinue.server.nodes.rules import Applied, PollRequest


@dataclass(eq=False, slots=True)
class Poll:
    """One poll, by ``asker``. ``may`` tells whether its node may still poll; ``renews``, whether to renew its
    credential. It is delivered with the body of its ``answer``, or without: then it is answered by itself.
    """

    said: Said
    may: Callable[[], bool]
    renews: bool
    asker: Any
    answer: bytes | None = None
    clock: Clock = field(default_factory=Clock)
    #: When it is answered at the latest (``time.monotonic``); 0 until it is held.
    until: float = 0.0

    @property
    def request(self) -> PollRequest:
        return self.said.request


class Like(NamedTuple):
    """What polls with the same answer have in common."""

    epoch: int
    revision: int
    after: str | None
    relay: bool
    is_slow: bool
    renews: bool


def like(poll: Poll) -> Like:
    request = poll.request
    applied = request.applied
    return Like(
        applied.epoch, applied.revision, request.after, request.relay, poll.clock.is_slow, poll.renews
    )


def kinds(polls: Iterable[Poll]) -> Iterable[tuple[Like, Poll]]:
    """Give one poll of each kind."""
    return {like(poll): poll for poll in polls}.items()


class News:
    """Which positions are behind a head by something that their nodes must know now.

    That a receipt is complete nobody waits for; it would call all nodes again after each change.
    """

    def __init__(self, head: Position) -> None:
        self._head = head
        self._found: dict[Applied, bool] = {}

    def __contains__(self, applied: Applied) -> bool:
        found = self._found.get(applied)
        if found is None:
            head = self._head
            found = applied.epoch != head.epoch or (
                applied.revision != head.revision
                and ledger.has_other(applied.revision, head.revision, receipts.COMPLETED)
            )
            self._found[applied] = found
        return found
