"""Measures revokes: from the call to its complete receipt, with 1, 10 and 100 nodes that follow.

``python -m bench.revoke``, from the root of the repository. The control plane is a real one, with the
durability of production; the followers speak the real protocol from one process (``bench.followers``), so
the figures are the control plane's, not theirs. The floor stands beside them: the CPU time of two feed
requests for each node, the answer that brings the change and the poll that confirms it. CPU time is disturbed
less by other work on the machine: of issuing and revoking one key, and the part of a core that the polls
take while nothing happens. ``--quick`` makes fewer revokes; ``--postgres`` takes PostgreSQL; ``--faults``
shows what the fault harness finds of availability (minutes).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.support.installation import Installation
from tests.support.postgres import PostgresServer
from tests.support.processes import descendants, end_with_parent
from tests.support.wire import Wire

NODES = (1, 10, 100)
REVOKES = 100
READS = 300
_LOAD_CONNECTIONS = 16
#: Shorter than the control plane keeps a connection on which nothing is asked.
_STILL_SECONDS = 4.0
_COLUMNS = (
    ("nodes", 5), ("load", 9), ("revoke", 15), ("CPU", 6),
    ("floor", 6), ("read", 15), ("alone", 15), ("polls", 6),
)  # fmt: skip
LEASES = (2, 10)


def main() -> int:
    """Run, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer revokes")
    parser.add_argument("--nodes", type=int, nargs="*", default=NODES, help="how many nodes follow")
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL instead of SQLite")
    parser.add_argument("--faults", action="store_true", help="availability under faults")
    options = parser.parse_args()
    if options.faults:
        _faults(20.0 if options.quick else 60.0)
        return 0
    revokes = 20 if options.quick else REVOKES
    print(
        "p50 / p99 in ms of: a revoke to its complete receipt; a read while polls are held; one without nodes"
    )
    print(" ".join(f"{title:>{width}}" for title, width in _COLUMNS))
    for count in options.nodes:
        with _estate(options.postgres) as estate:
            found, alone = [], estate.reads(READS)
            with _followed(estate, count):
                share = estate.cpu_of(lambda: time.sleep(_STILL_SECONDS)) / _STILL_SECONDS
                for load in (False, True):
                    with _loaded(estate, load) as name:
                        reads, waits = estate.reads(READS), list[float]()
                        spent = estate.cpu_of(partial(_extend, waits, estate, revokes))
                        found.append((name, reads, waits, "" if load else f"{spent / revokes * 1e3:.0f}"))
            # Last, and without the others: a node that measures it would be waited for.
            floor = estate.floor_ms(count)
        for name, reads, waits, cpu in found:
            told = count, name, _pair(waits), cpu, f"{floor:.0f}", _pair(reads), _pair(alone), f"{share:.1%}"
            print(
                " ".join(f"{each:>{width}}" for each, (_, width) in zip(told, _COLUMNS, strict=True)),
                flush=True,
            )
    return 0


def _extend(waits: list[float], estate: Estate, revokes: int) -> None:
    waits.extend(estate.revokes(revokes))


def _at(found: list[float], share: float) -> float:
    return sorted(found)[min(int(share * len(found)), len(found) - 1)]


def _pair(found: list[float]) -> str:
    return f"{_at(found, 0.5):.1f} / {_at(found, 0.99):.1f}"


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
def _estate(postgres: bool) -> Iterator[Estate]:
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


@contextmanager
def _followed(estate: Estate, count: int) -> Iterator[None]:
    """Let so many nodes follow; the installation's own is one of them."""
    nodes = estate.enrol(count - 1)
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.followers", estate.installation.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=end_with_parent(),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(nodes) + "\n")
        process.stdin.flush()
        if process.stdout.readline().strip() != "ready":
            raise SystemExit("the followers have ended")
        yield
    finally:
        process.stdin.close()
        process.wait(30)


@contextmanager
def _loaded(estate: Estate, loaded: bool) -> Iterator[str]:
    """Verify on the installation's own node meanwhile, as fast as the machine can, if so wanted."""
    if not loaded:
        yield "idle"
        return
    if shutil.which("wrk") is None:
        yield "no wrk"
        return
    script = estate.installation.home.parent / "verify.lua"
    body = json.dumps({"token": estate.key()["token"], "need": ["report:read"]})
    script.write_text(
        f"wrk.method = 'POST'\nwrk.body = '{body}'\nwrk.headers['Content-Type'] = 'application/json'\n"
    )
    command = ["wrk", "-t1", f"-c{_LOAD_CONNECTIONS}", "-d600s", "-s", str(script)]
    process = subprocess.Popen(
        [*command, f"{estate.installation.node_url}/v1/verify"],
        stdout=subprocess.DEVNULL,
        preexec_fn=end_with_parent(),
    )
    try:
        time.sleep(0.5)
        yield "verifying"
    finally:
        process.terminate()
        process.wait(30)


def _faults(seconds: float) -> None:
    """Print how many of the tokens in force were allowed under each fault, with two lengths of the lease."""
    from tests.cluster import judge
    from tests.cluster.run import run

    shares = {}
    for lease in LEASES:
        with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder:
            history = run(Path(folder), f"bench-{lease}", seconds, lease)
        shares[lease] = judge.shares(history)
        waits = sorted(each.returned - each.began for each in history.endings if not each.group)
        middle = statistics.median(waits)
        print(f"L = {lease} s: {len(waits)} revokes, p50 {middle:.2f} s, longest {waits[-1]:.2f} s")
    print(f"{'fault':30} " + " ".join(f"{f'L = {lease} s':>9}" for lease in LEASES))
    for fault in shares[LEASES[0]]:
        told = [shares[lease].get(fault, (0, 0.0))[1] for lease in LEASES]
        print(f"{fault:30} " + " ".join(f"{share:9.2%}" for share in told))


if __name__ == "__main__":
    sys.exit(main())
