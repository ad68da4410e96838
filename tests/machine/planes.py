"""Where the machine runs: in one process over a database, or against real processes over HTTP."""

from __future__ import annotations

import time
from typing import Any, Protocol

from retinue.server.nodes.models import Lease
from tests.api.world import World
from tests.invariants.ground import Ground
from tests.storage.estate import Follower
from tests.support.installation import Installation, http, reached


class Plane(Protocol):
    """Makes changes, and answers questions as a node does."""

    #: How many tokens are asked about after each step; the newest come first.
    most: int
    owner: str

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Make a call as the owner of the organization: status and body."""

    def decide(self, token: str, need: str) -> str:
        """Return the node's answer: ``allowed``, or the reason of the denial."""

    def close(self) -> None:
        """End what was begun for one run of the machine."""


class InProcess:
    """A new organization; the node is a replica in memory that follows after each change."""

    most = 1_000

    def __init__(self) -> None:
        self.ground = Ground(World.create(), Follower.create())
        self.owner = self.ground.owner.id
        self._is_behind = True

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Make a call as the owner of the organization."""
        answer = self.ground.owner.call(method, path, body)
        self._is_behind = True
        return answer.status, answer.json

    def decide(self, token: str, need: str) -> str:
        """Return the node's answer, once it has followed."""
        if self._is_behind:
            self.ground.follow()
            self._is_behind = False
        return self.ground.decide(token, need)

    def close(self) -> None:
        """Nobody waits for this node any more."""
        Lease.objects.filter(node=self.ground.follower.node).delete()


class Processes:
    """A running installation; a call returns when its change holds on the node."""

    most = 4

    def __init__(self, running: Installation) -> None:
        self._running = running
        self._token = running.token()
        self.owner = self.call("GET", "/v1/me")[1]["principal"]["id"]

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Make a call as the owner of the organization."""
        began = time.monotonic()
        answer = http(method, f"{self._running.url}{path}", token=self._token, body=body)
        reached(self._running.node_url, answer, time.monotonic() - began)
        return answer.status, answer.json()

    def decide(self, token: str, need: str) -> str:
        """Return the node's answer at this moment."""
        asked = {"token": token, "need": [need]}
        decision = http("POST", f"{self._running.node_url}/v1/verify", body=asked).json()
        return "allowed" if decision["allowed"] else str(decision["reason"])

    def close(self) -> None:
        """The installation goes on."""
