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
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.cluster import people
from tests.cluster.client import Connect
from tests.cluster.clocks import FAST, FAST_RATE, RATE, SLOW, MachineClock, patched
from tests.cluster.databases import Database, Postgres, Sqlite
from tests.cluster.disks import Disk, disk
from tests.cluster.ways_people import Guest
from tests.support.installation import Installation
from tests.support.planes import members
from tests.support.processes import descendants, end_with_parent, free_port, stop, wait_for
from tests.support.wire import Broken, Wire

NODES = ("n1", "n2", "n3")
RECOVERY_SECONDS = 40.0


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
    """One `retinue serve --only ...` on a machine of its own: its clock, its disk, its processes."""

    def __init__(
        self, home: Path, environment: Mapping[str, str], clock: MachineClock, *arguments: str
    ) -> None:
        super().__init__(home, {**environment, **clock.environment()})
        self.clock = clock
        self._arguments = arguments
        self.disk: Disk | None = None if home.exists() else disk(home, lambda: self.pids("everything"))

    def serve(self, *further: str, rate: float | None = None, patch: Mapping[str, str] | None = None) -> None:
        """Start it; ``further`` are flags, ``rate`` that of its clock, ``patch`` what is wrong on purpose."""
        plain, self._extra = self._extra, {**self._extra, **self.clock.environment(rate), **(patch or {})}
        try:
            self.start(*self._arguments, *further)
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


def told_clock(control: Member) -> float | None:
    """Return by how many seconds a control plane's wall clock is ahead of ours; ``None`` without an answer."""
    wire = Wire(control.url, control.token())
    try:
        made = wire.call("POST", "/v1/groups", {"name": f"at {time.time()}"}, {"Prefer": "wait=0"})
        return datetime.fromisoformat(made.body["created_at"]).timestamp() - time.time()
    except (Broken, KeyError):
        return None
    finally:
        wire.close()


class World:
    """Control planes and nodes of one run. ``lease_seconds`` other than the native ones are set by a patch.

    With a ``tree`` the first node is a relay, and the others follow it.
    """

    def __init__(
        self, folder: Path, lease_seconds: int | None, *, postgres: bool = False, tree: bool = False
    ) -> None:
        self._relay_port = free_port() if tree else 0
        lease = {} if lease_seconds is None else {"CLUSTER_LEASE_SECONDS": str(lease_seconds)}
        environment = patched("clock" if lease_seconds is None else "short_lease", **lease)
        self.database: Database = Postgres() if postgres else Sqlite(folder / "home")
        if self.database.url is not None:
            environment["RETINUE_DATABASE_URL"] = self.database.url
        clock = MachineClock(folder, "control")
        count = 2 if postgres else 1
        self.controls = [
            Member(folder / "home", environment, clock, "--only", "control") for _ in range(count)
        ]
        self.nodes: dict[str, Member] = {}
        self.links: dict[str, Link] = {}
        self._folder = folder

    def start(self, guests: int) -> list[Guest]:
        """Make the installation with guests, start all of it, and wait until every node decides."""
        self.controls[0].init()
        found = people.invited(self.controls[0], guests)
        for control in self.controls:
            control.serve()
        wire = Wire(self.controls[0].url, self.token())
        for number, name in enumerate(NODES):
            port = self.controls[number % len(self.controls)].port
            self._enrol(name, wire, self._relay_port if number and self._relay_port else port)
        wire.close()
        for node in self.nodes.values():
            node.serve()
        return found

    @property
    def behind(self) -> dict[str, tuple[str, ...]]:
        """Which nodes follow which relay."""
        return {NODES[0]: NODES[1:]} if self._relay_port else {}

    def _enrol(self, name: str, wire: Wire, above_port: int) -> None:
        made = wire.call("POST", "/v1/nodes", {"name": name, "relay": name in self.behind})
        self.links[name] = link = Link(above_port)
        environment = patched(
            "clock", RETINUE_WORKERS="1", RETINUE_CONTROL_URL=f"http://127.0.0.1:{link.port}"
        )
        if name in self.behind:
            environment["RETINUE_RELAY_PORT"] = str(self._relay_port)
        clock = MachineClock(self._folder, name, {SLOW: RATE, FAST: FAST_RATE}.get(name, 1.0))
        home = self._folder / name
        self.nodes[name] = Member(home, environment, clock, "--only", "node")
        token = home / "node-token"
        token.touch(mode=0o600)
        token.write_text(made.body["token"])
        shutil.copy(self.controls[0].home / "pepper", home / "pepper")

    def token(self) -> str:
        """Return the administrator's token."""
        return self.controls[0].token()

    def connect(self, first: int = 0) -> Connect:
        """Return what opens connections to all control planes, beginning with one of them."""
        count = len(self.controls)

        def connect(token: str | None) -> list[Wire]:
            chosen = [self.controls[(first + each) % count] for each in range(count)]
            return [Wire(each.url, token or self.token()) for each in chosen]

        return connect

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

    def processes(self) -> Iterator[tuple[str, int]]:
        """Return the processes that a receipt waits for, by their machine; the control planes' is empty."""
        found = [("", each, "control") for each in self.controls]
        found += [(name, node, "follower") for name, node in self.nodes.items()]
        for machine, member, of in found:
            with suppress(AttributeError, OSError):  # it is just being stopped
                yield from ((machine, pid) for pid in member.pids(of))

    def epoch(self) -> dict[str, Any]:
        """Return the present epoch; nothing without an answer."""
        return self._get("/v1/epochs/current")

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
        return list(self._get("/v1/nodes").get("items", ()))

    def _get(self, path: str) -> dict[str, Any]:
        wire = Wire(self.controls[0].url, self.token())
        try:
            return wire.call("GET", path).body or {}
        except Broken:
            return {}
        finally:
            wire.close()

    def stop(self) -> None:
        """End everything."""
        for each in [*self.nodes.values(), *self.controls]:
            send(each.pids("everything"), signal.SIGCONT)
            each.stop()
        for link in self.links.values():
            stop(link.process)
        self.database.stop()
