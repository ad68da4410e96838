"""The processes of a run: control planes on one database, and nodes, each behind a link that can be cut."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.support.installation import Installation
from tests.support.planes import members
from tests.support.processes import descendants, end_with_parent, free_port, stop, wait_for
from tests.support.wire import Broken, Wire

PATCHES = Path(__file__).parent / "patches"
NODES = ("n1", "n2", "n3")
#: The clock of this node is slow all the time, within half of the margin, so that it gets its leases.
SLOW, RATE, TOO_SLOW = "n3", 0.98, 0.82
RECOVERY_SECONDS = 40.0


def patched(patch: str, **variables: str) -> dict[str, str]:
    """Return the environment of processes that load ``patches/<patch>/sitecustomize.py`` first."""
    return {"PYTHONPATH": str(PATCHES / patch), **variables}


def slow_clock(rate: float) -> dict[str, str]:
    """Return the environment of processes whose clocks are slow from now on."""
    began = f"{time.clock_gettime_ns(time.CLOCK_BOOTTIME)} {time.time_ns()}"
    return patched("slow_clock", CLUSTER_CLOCK_RATE=str(rate), CLUSTER_CLOCK_BEGAN=began)


class Link:
    """The far end of a :mod:`tests.cluster.link` process."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "tests.cluster.link", str(self.port), str(target)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=end_with_parent()
        )
        self._lock = threading.Lock()
        self._read()

    def set(self, **said: float) -> dict[str, Any]:
        """Cut, slow or mend the link; return what it has seen since it was last told."""
        assert self.process.stdin is not None
        with self._lock:
            self.process.stdin.write(json.dumps(said).encode() + b"\n")
            self.process.stdin.flush()
            return self._read()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found


class Member(Installation):
    """One `retinue serve --only ...` with a home of its own, and what can be done to its processes."""

    def __init__(self, home: Path, environment: Mapping[str, str], *arguments: str) -> None:
        super().__init__(home, dict(environment))
        self._arguments = arguments

    def serve(self, environment: Mapping[str, str] | None = None) -> None:
        """Start it, with further variables."""
        plain, self._extra = self._extra, {**self._extra, **(environment or {})}
        try:
            self.start(*self._arguments)
        finally:
            self._extra = plain

    def pids(self, of: str) -> list[int]:
        """Return the processes of one kind: ``follower``, ``worker``, ``control``, or ``everything``."""
        if self.process is None:
            return []
        if of == "everything":
            return [self.process.pid, *descendants(self.process.pid)]
        found = [pid for name, pid in members(self.process.pid).items() if name.startswith(of)]
        return [*found, *(pid for each in found for pid in descendants(each))]


def send(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to processes; one that has ended meanwhile is no error."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def is_stopped(pid: int) -> bool:
    """Tell whether the kernel has stopped a process."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


class World:
    """Control planes and nodes of one run. ``lease_seconds`` other than the native ones are set by a patch.

    With a ``tree`` the first node is a relay, and the others follow it.
    """

    def __init__(
        self, folder: Path, database_url: str | None, lease_seconds: int | None, *, tree: bool = False
    ) -> None:
        self._relay_port = free_port() if tree else 0
        environment = (
            {} if lease_seconds is None else patched("short_lease", CLUSTER_LEASE_SECONDS=str(lease_seconds))
        )
        environment |= {} if database_url is None else {"RETINUE_DATABASE_URL": database_url}
        count = 1 if database_url is None else 2
        self.controls = [Member(folder / "home", environment, "--only", "control") for _ in range(count)]
        self.nodes: dict[str, Member] = {}
        self.links: dict[str, Link] = {}
        self._folder = folder

    def start(self) -> None:
        """Make the installation, start all of it, and wait until every node decides."""
        self.controls[0].init()
        for control in self.controls:
            control.serve()
        wire = Wire(self.controls[0].url, self.token())
        for number, name in enumerate(NODES):
            port = self.controls[number % len(self.controls)].port
            self._enrol(name, wire, self._relay_port if number and self._relay_port else port)
        wire.close()
        for name, node in self.nodes.items():
            node.serve(slow_clock(RATE) if name == SLOW else None)

    @property
    def behind(self) -> dict[str, tuple[str, ...]]:
        """Which nodes follow which relay."""
        return {NODES[0]: NODES[1:]} if self._relay_port else {}

    def _enrol(self, name: str, wire: Wire, above_port: int) -> None:
        home = self._folder / name
        home.mkdir(mode=0o700)
        made = wire.call("POST", "/v1/nodes", {"name": name, "relay": name in self.behind})
        token = home / "node-token"
        token.touch(mode=0o600)
        token.write_text(made.body["token"])
        shutil.copy(self.controls[0].home / "pepper", home / "pepper")
        self.links[name] = link = Link(above_port)
        environment = {"RETINUE_WORKERS": "1", "RETINUE_CONTROL_URL": f"http://127.0.0.1:{link.port}"}
        if name in self.behind:
            environment["RETINUE_RELAY_PORT"] = str(self._relay_port)
        self.nodes[name] = Member(home, environment, "--only", "node")

    def token(self) -> str:
        """Return the administrator's token."""
        return self.controls[0].token()

    def wires(self, first: int = 0) -> list[Wire]:
        """Return connections to all control planes, beginning with one of them."""
        count = len(self.controls)
        return [Wire(self.controls[(first + each) % count].url, self.token()) for each in range(count)]

    def incarnation(self, name: str) -> str:
        """Return which follower of a node the control plane heard last."""
        wait_for(f"{name} is heard", lambda: name in self._heard(), seconds=RECOVERY_SECONDS)
        return wait_for("the control plane answers", self._heard, seconds=RECOVERY_SECONDS)[name][0]

    def settle(self, name: str = "", follower: str = "") -> None:
        """Wait until every process is ready, as it says of itself, and each node has been heard since then.

        A node may well be ready without a follower: its lease still runs. And the last poll of a ``follower``
        of the node ``name`` that was killed may arrive after its death: another one must be heard.
        """
        for each in [*self.controls, *self.nodes.values()]:
            wait_for(f"{each.home.name} is ready", each.is_ready, seconds=RECOVERY_SECONDS)
        since = time.time()

        def is_settled() -> bool:
            heard = self._heard()
            is_heard = bool(heard) and all(heard.get(each, ("", 0.0))[1] > since for each in NODES)
            return is_heard and (not name or heard[name][0] != follower)

        wait_for("every node is heard", is_settled, seconds=RECOVERY_SECONDS)

    def clocks(self) -> dict[str, str]:
        """Return what the control plane says of the clock of each node."""
        return {each["name"]: each["clock"]["state"] for each in self._nodes()}

    def _heard(self) -> dict[str, tuple[str, float]]:
        """Return the incarnation and the last contact (wall clock) of each node; nothing without an answer."""
        return {
            each["name"]: (each["incarnation"], datetime.fromisoformat(each["last_contact_at"]).timestamp())
            for each in self._nodes()
            if each["last_contact_at"]
        }

    def _nodes(self) -> list[dict[str, Any]]:
        """Return what the control plane says of all nodes; nothing without an answer."""
        wire = self.wires()[0]
        try:
            return list((wire.call("GET", "/v1/nodes").body or {}).get("items", ()))
        except Broken:
            return []
        finally:
            wire.close()

    def stop(self) -> None:
        """End everything."""
        for each in [*self.nodes.values(), *self.controls]:
            send(each.pids("everything"), signal.SIGCONT)
            each.stop()
        for link in self.links.values():
            stop(link.process)
