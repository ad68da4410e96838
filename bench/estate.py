"""An installation that is measured: its control plane runs with the durability of production."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

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

    def change_ms(self, count: int = 40) -> float:
        """Return the CPU time of a change that takes nothing away and that all nodes confirm, in ms.

        The change of an installation with nodes, less that of one without, is the floor of a revoke: nothing
        but the two feed requests of each node.
        """
        self.wire.close()  # nothing was asked for a while: the control plane may have closed it, too
        key = self.key()["id"]

        def change() -> None:
            for number in range(count):
                answer = self.wire.call("PATCH", f"/v1/keys/{key}", {"name": f"{key}-{number}"})
                if answer.status != 200:
                    raise SystemExit(f"a key could not be renamed: {answer.body}")

        change()
        return self.cpu_of(change) / count * 1e3

    def cpu_of(self, act: Callable[[], None]) -> float:
        """Return the CPU seconds that the installation spends while something is done."""
        before = _cpu(self.pids)
        act()
        return _cpu(self.pids) - before


def _cpu(pids: list[int]) -> float:
    spent = 0
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
                spent += int((thread / "schedstat").read_text().split()[0])
    return spent / 1e9


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
