"""What the invariants are tried on: an organization, its owner's calls, and a node that follows its changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from retinue.decision import Denied
from retinue.server.credentials.actions import peppers
from retinue.server.nodes.database import DatabaseReplica
from retinue.token import Token
from retinue.verifier import Question, Verifier
from tests.api.world import HOST, Answer, Caller, World
from tests.storage.estate import Follower, Task

ALLOWED = "allowed"


class Hasty(Caller):
    """Calls that wait for no receipt: the node here polls when it is told to."""

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
        address: str = HOST,
    ) -> Answer:
        """Make one call, as :class:`Caller` does."""
        return super().call(method, path, body, raw, {"prefer": "wait=0"} | (headers or {}), address)


@dataclass(frozen=True)
class Ground:
    """An organization and one node, which applies what the feed gives it when it is told to."""

    world: World
    follower: Follower

    @classmethod
    def create(cls) -> Ground:
        """Make both; the node holds the present state."""
        world, follower = World.create(), Follower.create()
        follower.catch_up()
        return cls(world, follower)

    @property
    def owner(self) -> Hasty:
        """The owner of the organization."""
        return hasty(self.world.owner)

    def caller(self, *permissions: str) -> Hasty:
        """Make a service account that holds exactly ``permissions``, and return its calls."""
        return hasty(self.world.caller(*permissions))

    def decide(self, token: Token | str, *need: str, **asked: Any) -> str:
        """Return what the node answers without any further news: ``allowed``, or the reason of the denial."""
        return _decide(Verifier(self.follower.replica, peppers()), token, need, asked)

    def follow(self) -> None:
        """Let the node apply what has changed."""
        self.follower.catch_up()

    def decide_now(self, token: Token | str, *need: str, **asked: Any) -> str:
        """Return what the node answers, once it has followed; the control plane must answer the same."""
        self.follow()
        answered = self.decide(token, *need, **asked)
        assert answered == _decide(Verifier(DatabaseReplica(), peppers()), token, need, asked)
        return answered


def hasty(caller: Caller) -> Hasty:
    """Return the same caller in haste."""
    return Hasty(caller.token, caller.principal)


def _decide(verifier: Verifier, token: Token | str, need: Sequence[str], asked: dict[str, Any]) -> str:
    text = token if isinstance(token, str) else token.reveal()
    decision = verifier.verify(Question(text, tuple(need), **asked))
    return decision.reason.value if isinstance(decision, Denied) else ALLOWED


def done(answer: Answer) -> Any:
    """Return the body of a call that succeeded."""
    assert answer.status in (200, 201, 202, 204), f"{answer.status}: {answer.text}"
    return answer.json


def together(*acts: Callable[[], Answer]) -> list[Answer]:
    """Make calls at the same time, each on a thread and a connection of its own."""
    gate = threading.Barrier(len(acts))

    def at_once(act: Callable[[], Answer]) -> Answer:
        gate.wait(10)
        return act()

    tasks = [Task(lambda act=act: at_once(act)) for act in acts]  # type: ignore[misc]
    return [task.result() for task in tasks]
