"""One run: clients and faults at the same time; then nodes that are wrong on purpose."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.cluster import faults
from tests.cluster.faults import Injector
from tests.cluster.history import History, now
from tests.cluster.judge import controls
from tests.cluster.revokers import Revoker
from tests.cluster.verifiers import PAUSE_SECONDS, Verifier
from tests.cluster.world import (
    NODES,
    RECOVERY_SECONDS,
    SLOW,
    TOO_SLOW,
    Member,
    World,
    patched,
    send,
    slow_clock,
)
from tests.support.processes import wait_for

SEED, SECONDS, LEASE = "RETINUE_TEST_SEED", "RETINUE_TEST_SECONDS", "RETINUE_TEST_LEASE_SECONDS"
REVOKERS = 20
#: In a tree a change takes a round trip more, on the same two cores: clients leave the processes more of them.
TREE_REVOKERS, TREE_PAUSE_SECONDS = 10, 0.003
STOCK_COUNT = 8
CONTROLS = ("cache", "push only", "no lease check", "clock beyond the bound")
#: What a relay may do wrong, each a patch of its follower, and what shows it.
RELAY_CONTROLS = ("acknowledged early", "lent without bound", "children forgotten")
#: A run that shows less shows nothing. A slow machine gets more time for it.
MINIMA = {"verifications": 50_000, "near": 3_000, "endings": 500}
MOST_TIMES = 2.0
_MORE_SECONDS = 5.0
_END_SECONDS = 60.0
_NOTICE_SECONDS = 90.0
_ATTEMPTS = 4


def seed() -> str:
    """Return the seed of this run, and print it: the same one draws the same changes and faults."""
    chosen = os.environ.get(SEED) or secrets.token_hex(4)
    print(f"\n{SEED}={chosen}")
    return chosen


def seconds() -> float:
    """Return for how long faults are injected, at least."""
    return float(os.environ.get(SECONDS) or 35)


def lease_seconds() -> int:
    """Return the length of a lease in this run: 2 s, so that a short run sees many end; 10 is the native one."""
    return int(os.environ.get(LEASE) or 2)


def run(
    folder: Path, database_url: str | None, seed: str, seconds: float, lease: int, *, tree: bool = False
) -> History:
    """Run on SQLite, or on PostgreSQL with two control planes if there is a ``database_url``.

    With a ``tree`` two of the nodes follow the third.
    """
    world = World(folder, database_url, None if lease == 10 else lease, tree=tree)
    history = History(behind=world.behind)
    try:
        world.start()
        with _clients(world, history, seed, tree=tree):
            injector = Injector(world, history, lease, f"{seed}/faults")
            began = now()
            injector.run(began + seconds)
            while shortfalls(history) and now() < began + seconds * MOST_TIMES:
                injector.run(now() + _MORE_SECONDS)
            history.rates["in the run"] = _clock_rate(world, SLOW, lease)
            if tree:
                _wrong_relays(world, history, lease)
            _wrong_on_purpose(world, history, lease)
    finally:
        world.stop()
    return history


@contextmanager
def _clients(world: World, history: History, seed: str, *, tree: bool) -> Iterator[None]:
    """Let clients work meanwhile; at the end each finishes what it has begun."""
    revokers, pause = (TREE_REVOKERS, TREE_PAUSE_SECONDS) if tree else (REVOKERS, PAUSE_SECONDS)
    clients: list[Revoker | Verifier] = [
        Revoker(f"r{number}", world.wires(number), history, f"{seed}/r{number}") for number in range(revokers)
    ]
    clients.append(Revoker("push", world.wires(), history, f"{seed}/push", group=CONTROLS[1]))
    Revoker("stock", world.wires(), history, seed).fill_stock(STOCK_COUNT)
    for name, node in world.nodes.items():
        clients.append(Verifier(name, node.node_port, history, f"{seed}/{name}", pause=pause))
    port = world.nodes[NODES[0]].node_port
    clients.append(Verifier(NODES[0], port, history, f"{seed}/cache", caches=True, pause=pause))
    for client in clients:
        client.start()
    try:
        yield
    finally:
        for client in clients:
            client.stopping.set()
        for client in clients:
            client.join(_END_SECONDS)
    assert [] == [client.name for client in clients if client.is_alive()]


def _wrong_on_purpose(world: World, history: History, lease: float) -> None:
    """Cut off nodes that decide without a lease, or with too slow a clock, until they are caught at it."""
    wrong = {CONTROLS[2]: patched("no_lease_check"), CONTROLS[3]: slow_clock(TOO_SLOW)}
    for name, (phase, environment) in zip(NODES, wrong.items(), strict=False):
        node, link = world.nodes[name], world.links[name]
        history.phase = phase
        send(node.pids("everything"), signal.SIGCONT)
        node.stop()
        node.serve(environment)
        history.rates[phase] = _clock_rate(world, name, lease)
        for _ in range(_ATTEMPTS):
            link.set(up=0, down=0)
            time.sleep(lease * 1.6)
            link.set()
            if phase == CONTROLS[3]:
                # Once its clock is found slow the node decides nothing any more, and is not ready.
                with suppress(TimeoutError):
                    wait_for(f"{name} is ready", node.is_ready, seconds=RECOVERY_SECONDS)
            else:
                world.settle()
            if controls(history)[phase] or not node.is_ready():
                break
        if phase == CONTROLS[3]:
            history.slow_clocks = _slow_clocks(world, name)
        node.stop()
        node.serve()
        # A clock that keeps pace again gets its leases back by itself.
        wait_for(f"{name} is ready again", node.is_ready, seconds=_NOTICE_SECONDS)


def _wrong_relays(world: World, history: History, lease: float) -> None:
    """Stop a child of a relay that is wrong, or cut the relay off, until the child is caught at a violation."""
    relay, child = world.nodes[NODES[0]], world.nodes[NODES[1]]
    for phase in RELAY_CONTROLS:
        history.phase = phase
        send(relay.pids("everything"), signal.SIGCONT)
        relay.stop()
        relay.serve(patched(phase.replace(" ", "_")))
        world.settle()
        for _ in range(_ATTEMPTS):
            if phase == RELAY_CONTROLS[1]:
                world.links[NODES[0]].set(up=0, down=0)
                time.sleep(lease * 1.9)
                world.links[NODES[0]].set()
            else:
                _stop_child(relay, child, lease, restarts=phase == RELAY_CONTROLS[2])
            world.settle()
            if controls(history)[phase]:
                break
    relay.stop()
    relay.serve()
    world.settle()


def _stop_child(relay: Member, child: Member, lease: float, *, restarts: bool) -> None:
    """Stop the follower of a child, not what decides there, for the rest of its lease."""
    stopped = child.pids("follower")
    send(stopped, signal.SIGSTOP)
    if restarts:
        send(relay.pids("follower"), signal.SIGKILL)
    time.sleep(lease * 1.2)
    send(stopped, signal.SIGCONT)


def _slow_clocks(world: World, name: str) -> dict[str, bool]:
    """Wait until a node's clock is found slow and it is stale; return of which nodes that is said.

    Of a node behind a relay the relay finds it, and the control plane says nothing.
    """
    node = world.nodes[name]
    if world.behind:
        wait_for("the node is stale", lambda: not node.is_ready(), seconds=_NOTICE_SECONDS)
        return {name: True}
    wait_for("the slow clock is found", lambda: world.clocks().get(name) == "slow", seconds=_NOTICE_SECONDS)
    wait_for("the node is stale", lambda: not node.is_ready(), seconds=RECOVERY_SECONDS)
    return {each: state == "slow" for each, state in world.clocks().items()}


def _clock_rate(world: World, name: str, lease: float) -> float:
    """Return how fast the clock of a node runs, by what its polls say on their way."""
    link = world.links[name]
    link.set()
    time.sleep(2 * lease)  # for several polls
    found = link.set()
    (real_from, told_from), (real_to, told_to) = found["first_clock"][0], found["clock"][0]
    return float(told_to - told_from) / float(real_to - real_from)


def shortfalls(history: History) -> dict[str, int]:
    """Return what there was too little of: verifications, changes, and faults that were confirmed."""
    found = figures(history)
    short = {name: found[name] for name, least in MINIMA.items() if found[name] < least}
    seen = {each.kind for each in history.faults if each.is_confirmed}
    return short | {kind: 0 for kind in faults.KINDS if kind not in seen}


def figures(history: History) -> dict[str, int]:
    """Return how much of everything there was."""
    counts = history.counts()
    plain = [count for name, count in counts.items() if name.startswith("plain on")]
    return {
        "verifications": sum(plain),
        "near": counts["near"],
        "endings": sum(not each.group for each in history.endings),
        "waited for a lease": sum(
            any(n["how"] == "lease_ended" for n in each.nodes) for each in history.endings
        ),
    }
