"""Polls that are put into rounds, and what nodes do meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec

from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.nodes import actions
from retinue.server.nodes.answers import PollAnswer
from retinue.server.nodes.models import Lease
from retinue.server.nodes.polls import Poll
from retinue.server.nodes.renewing import Said
from retinue.server.nodes.rounds import Rounds
from retinue.server.nodes.rules import PollRequest
from tests.storage.estate import Follower
from tests.support.processes import wait_for


class Together:
    """Rounds, and what they have delivered."""

    def __init__(self) -> None:
        self.delivered: list[Poll] = []
        self.seconds: dict[int, float] = {}
        self.rounds = Rounds(lambda head: None, self._deliver)

    def _deliver(self, polls: Sequence[Poll]) -> None:
        self.seconds |= {id(poll): time.monotonic() for poll in polls}
        self.delivered += polls

    def put(self, *said: tuple[Follower, PollRequest], may: Callable[[], bool] = lambda: True) -> list[Poll]:
        """Put polls into one round."""
        made = [Poll(Said(each.node.id, request), may, False, None) for each, request in said]
        self.rounds.put(made)
        return made

    def ask(self, *said: tuple[Follower, PollRequest]) -> list[PollAnswer | None]:
        """Put polls into one round; return the answers, ``None`` for those that were given back."""
        made = self.put(*said)
        self.wait(made)
        return [answer_of(poll) for poll in made]

    def wait(self, polls: Sequence[Poll], seconds: float = 20.0) -> None:
        """Wait until all of these were delivered."""
        wanted = set(map(id, polls))
        wait_for("they are answered", lambda: wanted <= self.seconds.keys(), seconds=seconds, every=0.002)

    def hold(self, followers: Sequence[Follower], wait: float = 1.25) -> list[Poll]:
        """Put a poll of each; return when all are held."""
        held = self.rounds.held
        made = self.put(*((each, each.request(wait=wait)) for each in followers))
        wait_for("all are held", lambda: self.rounds.held == held + len(made), seconds=1.0, every=0.002)
        return made


def answer_of(poll: Poll) -> PollAnswer | None:
    return None if poll.answer is None else msgspec.json.decode(poll.answer, type=PollAnswer)


def timeless(answer: PollAnswer | None) -> PollAnswer:
    assert answer is not None
    return msgspec.structs.replace(answer, time=0)


def row(follower: Follower) -> Lease:
    return Lease.objects.get(node=follower.node, incarnation=follower.incarnation)


def followers_of(count: int) -> list[Follower]:
    made = [Follower.create() for _ in range(count)]
    for each in made:
        each.catch_up()
    return made


def removed(follower: Follower) -> PollRequest:
    with transaction(SYSTEM) as tx:
        actions.remove(tx, follower.node)
    return follower.request()


def superseded(follower: Follower) -> PollRequest:
    request = follower.request()
    Follower(follower.node, meta=follower.meta).poll()
    return request
