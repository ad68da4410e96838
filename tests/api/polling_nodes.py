"""Nodes that poll an installation which is served, and apply everything by saying so."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.installation import Installation
from tests.support.processes import descendants
from tests.support.wire import Reply, Wire


@dataclass
class Node:
    """A node that polls over a connection of its own, and applies everything by saying so."""

    url: str
    id: str
    name: str
    token: str
    applied: dict[str, Any] = field(default_factory=lambda: {"epoch": 0, "revision": 0, "mark": ""})
    incarnation: str = field(default_factory=lambda: secrets.token_hex(16))

    def __post_init__(self) -> None:
        self.wire = Wire(self.url, self.token)

    def said(self, **given: Any) -> dict[str, Any]:
        """Return what a poll says."""
        said = {"node": self.name, "incarnation": self.incarnation, "applied": self.applied, "wait": 0}
        return said | given

    def poll(self, headers: dict[str, str] | None = None, **given: Any) -> Reply:
        """Poll once."""
        return self.wire.call("POST", "/v1/feed/poll", self.said(**given), headers)

    def take(self) -> Reply:
        """Poll, and take everything up to the head as applied."""
        found = self.poll()
        told = found.body
        self.applied = {"epoch": told["epoch"], "revision": told["head"], "mark": told["mark"]}
        return found

    def catch_up(self) -> Node:
        """Poll until it is answered from memory."""
        for _ in range(3):
            self.take()
        return self


@dataclass
class Served:
    """An installation that is served."""

    installation: Installation

    def __post_init__(self) -> None:
        self.admin = Wire(self.installation.url, self.installation.token())

    def node(self) -> Node:
        """Enrol a node."""
        made = self.admin.call("POST", "/v1/nodes", {"name": f"n-{secrets.token_hex(4)}"}).body
        return Node(self.installation.url, made["node"]["id"], made["node"]["name"], made["token"])

    def change(self) -> Reply:
        """Make a change that takes nothing away."""
        owner = self.admin.call("GET", "/v1/me").body["principal"]["id"]
        body = {"name": f"a-{secrets.token_hex(4)}", "purpose": "a test", "owners": [owner]}
        return self.admin.call("POST", "/v1/service-accounts", body)

    @property
    def threads(self) -> int:
        """How many threads the installation has."""
        assert self.installation.process is not None
        told = [Path(f"/proc/{pid}/status") for pid in descendants(self.installation.process.pid)]
        lines = [line for each in told for line in each.read_text().splitlines()]
        return sum(int(line.split()[1]) for line in lines if line.startswith("Threads:"))
