"""Measures revokes: from the call to its complete receipt, with 1, 10 and 100 nodes that follow.

``python -m bench.revoke``, from the root of the repository. The control plane is a real one, with the
durability of production; the followers speak the real protocol from one process (``bench.followers``), so
the figures are the control plane's, not theirs. The floor stands beside them: the CPU time of two feed
requests for each node, the answer that brings a change and the poll that confirms it. CPU time is disturbed
less by other work on the machine: of issuing and revoking one key, and the part of a core that the polls
take while nothing happens. The load of the machine ends each line. ``--quick`` makes
fewer revokes; ``--postgres`` takes PostgreSQL; ``--faults`` shows what the fault harness finds of
availability (minutes).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.estate import Estate, measured
from tests.support.processes import end_with_parent

NODES = (1, 10, 100)
REVOKES = 100
#: Reads are measured in turns, with polls and without: so other work on the machine disturbs both alike.
READS, TURNS = 75, 8
#: As long as a poll is held: then none is left of followers that were stopped.
_HELD_SECONDS = 1.3
_LOAD_CONNECTIONS = 16
#: Shorter than the control plane keeps a connection on which nothing is asked.
_STILL_SECONDS = 4.0
_COLUMNS = (
    ("nodes", 5), ("load", 9), ("revoke", 15), ("CPU", 6),
    ("floor", 6), ("read", 15), ("alone", 15), ("polls", 6), ("machine", 7),
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
        with measured(options.postgres) as estate:
            found = []
            alone_ms = estate.change_ms()  # one node follows: the installation's own
            with _followed(estate, count) as followers:
                floor = max(estate.change_ms() - alone_ms, 0.0) * count / max(count - 1, 1)
                share = estate.cpu_of(lambda: time.sleep(_STILL_SECONDS)) / _STILL_SECONDS
                for load in (False, True):
                    with _loaded(estate, load) as name:
                        reads, alone = _turns(estate, followers, TURNS // 2 if options.quick else TURNS)
                        waits = list[float]()
                        spent = estate.cpu_of(partial(_extend, waits, estate, revokes))
                        found.append(
                            (name, reads, alone, waits, "" if load else f"{spent / revokes * 1e3:.0f}")
                        )
        for name, reads, alone, waits, cpu in found:
            told = (
                *(count, name, _pair(waits), cpu, f"{floor:.1f}", _pair(reads), _pair(alone)),
                *(f"{share:.1%}", f"{os.getloadavg()[0]:.1f}"),
            )
            print(
                " ".join(f"{each:>{width}}" for each, (_, width) in zip(told, _COLUMNS, strict=True)),
                flush=True,
            )
    return 0


def _extend(waits: list[float], estate: Estate, revokes: int) -> None:
    waits.extend(estate.revokes(revokes))


def _turns(estate: Estate, followers: int, count: int) -> tuple[list[float], list[float]]:
    """Return how long reads took while polls were held, and while those followers were stopped, in ms."""
    held, alone = list[float](), list[float]()
    for _ in range(count):
        held += estate.reads(READS)
        os.kill(followers, signal.SIGSTOP)
        time.sleep(_HELD_SECONDS)
        alone += estate.reads(READS)
        os.kill(followers, signal.SIGCONT)
        time.sleep(_HELD_SECONDS)
    return held, alone


def _at(found: list[float], share: float) -> float:
    return sorted(found)[min(int(share * len(found)), len(found) - 1)]


def _pair(found: list[float]) -> str:
    return f"{_at(found, 0.5):.1f} / {_at(found, 0.99):.1f}"


@contextmanager
def _followed(estate: Estate, count: int) -> Iterator[int]:
    """Let so many nodes follow; the installation's own is one of them. Yields the process of the others."""
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
        yield process.pid
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
    shares = {}
    for lease in LEASES:
        # In a process of its own: what the harness mounts goes with it.
        with (
            tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder,
            ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
        ):
            shares[lease], waits = pool.submit(_faulted, Path(folder), lease, seconds).result()
        middle = statistics.median(waits)
        print(
            f"L = {lease} s: {len(waits)} revokes, p50 {middle:.2f} s, longest {max(waits):.2f} s", flush=True
        )
    print(f"{'fault':30} " + " ".join(f"{f'L = {lease} s':>9}" for lease in LEASES))
    for fault in shares[LEASES[0]]:
        told = [shares[lease].get(fault, (0, 0.0))[1] for lease in LEASES]
        print(f"{fault:30} " + " ".join(f"{share:9.2%}" for share in told))


def _faulted(folder: Path, lease: int, seconds: float) -> tuple[dict[str, tuple[int, float]], list[float]]:
    """Run the fault harness; return what was allowed under each fault, and how long endings took."""
    from tests.cluster import judge
    from tests.cluster.run import run

    history = run(folder, f"bench-{lease}", seconds, lease)
    waits = [each.returned - each.began for each in history.endings if not each.group]
    return judge.shares(history), waits


if __name__ == "__main__":
    sys.exit(main())
