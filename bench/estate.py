"""An installation that is measured: its control plane runs with the durability of production."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.support.installation import Installation
from tests.support.postgres import PostgresServer
from tests.support.processes import descendants
from tests.support.wire import Wire


class Estate:
    """An installation whose control plane runs, with an account whose keys are revoked."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.wire = Wire(installation.url, installation.token())
        who = self.wire.call("GET", "/v1/me").body
        made = {
            "name": "bench",
            "purpose": "bench",
            "owners": [who["principal"]["id"]],
            "permissions": ["report:read"],
        }
        self.account = self.wire.call("POST", "/v1/service-accounts", made).body["id"]

    @property
    def pids(self) -> list[int]:
        """The processes of the installation."""
        assert self.installation.process is not None
        pid = self.installation.process.pid
        return [pid, *descendants(pid)]

    def enrol(self, count: int) -> list[tuple[str, str]]:
        """Enrol nodes; return their names and tokens."""
        made = [self.wire.call("POST", "/v1/nodes", {"name": f"n{number}"}).body for number in range(count)]
        return [(each["node"]["name"], each["token"]) for each in made]

    def key(self) -> dict[str, str]:
        """Issue a key; return its id and token."""
        body = self.wire.call(
            "POST", f"/v1/service-accounts/{self.account}/keys", {"name": f"k{time.time_ns()}"}
        ).body
        return {"id": body["key"]["id"], "token": body["token"]}

    def revokes(self, count: int) -> list[float]:
        """Revoke keys one by one; return how long each call took, in ms, until its receipt was complete."""
        found = []
        for _ in range(count):
            key = self.key()
            began = time.perf_counter()
            answer = self.wire.call("POST", f"/v1/keys/{key['id']}/revoke", {})
            found.append((time.perf_counter() - began) * 1e3)
            receipt = answer.body["receipt"]
            how = {each["how"] for each in receipt["nodes"]}
            if not receipt["complete"] or how - {"confirmed"}:
                raise SystemExit(f"a receipt that nobody should have delayed: {json.dumps(receipt)[:400]}")
        return found

    def reads(self, count: int) -> list[float]:
        """Read an account as often; return how long each call took, in ms."""
        self.wire.close()  # nothing was asked for a while: the control plane may have closed it, too
        found = []
        for _ in range(count):
            began = time.perf_counter()
            self.wire.call("GET", f"/v1/service-accounts/{self.account}")
            found.append((time.perf_counter() - began) * 1e3)
        return found

    def floor_ms(self, nodes: int, count: int = 400) -> float:
        """Return the CPU time of two feed requests for each of so many nodes, one after the other, in ms."""
        made = self.wire.call("POST", "/v1/nodes", {"name": "floor"}).body
        wire = Wire(self.installation.url, made["token"])
        said = {"node": "floor", "incarnation": "0" * 32, "wait": 0}

        def poll(**applied: object) -> dict[str, Any]:
            answer = wire.call("POST", "/v1/feed/poll", {**said, "applied": applied})
            if answer.status != 200:
                raise SystemExit(f"a poll was answered {answer.status}")
            body: dict[str, Any] = answer.body
            return body

        told = poll(epoch=0, revision=0)
        at = {"epoch": told["epoch"], "revision": told["head"], "mark": told["mark"]}

        def polls() -> None:
            for _ in range(count):
                poll(**at)

        polls()  # it is known from now on
        idle = self.cpu_of(lambda: time.sleep(2.0)) / 2.0
        began = time.perf_counter()
        spent = self.cpu_of(polls)
        spent -= idle * (time.perf_counter() - began)
        wire.close()
        return max(spent, 0.0) / count * 2 * nodes * 1e3

    def cpu_of(self, act: Callable[[], None]) -> float:
        """Return the CPU seconds that the installation spends while something is done."""
        before = _cpu(self.pids)
        act()
        return _cpu(self.pids) - before


def _cpu(pids: list[int]) -> float:
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def measured(postgres: bool) -> Iterator[Estate]:
    # Beside the repository: a folder for temporary files may be in memory, where a commit costs nothing.
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd())))
        environment = {"RETINUE_PROBE_SECONDS": "0", "RETINUE_WORKERS": "1"}
        if postgres:
            server = stack.enter_context(PostgresServer.start())
            environment["RETINUE_DATABASE_URL"] = server.create_database()
        installation = Installation(folder / "home", environment)
        installation.init()
        installation.start()
        stack.callback(installation.stop)
        yield Estate(installation)
