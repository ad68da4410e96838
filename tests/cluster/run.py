"""One run: clients and faults at the same time; then nodes that are wrong on purpose."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.cluster import faults
from tests.cluster.client import Client
from tests.cluster.clocks import FAST, SLOW, TOO_SLOW, patched
from tests.cluster.faults import Injector
from tests.cluster.history import History, now
from tests.cluster.judge import controls
from tests.cluster.revokers import OPERATIONS, Draw, Revoker, fill_stock, prepare
from tests.cluster.starving import Watch
from tests.cluster.verifiers import PAUSE_SECONDS, Verifier
from tests.cluster.world import NODES, RECOVERY_SECONDS, Member, World, send
from tests.support.processes import wait_for

SEED, SECONDS, LEASE = "RETINUE_TEST_SEED", "RETINUE_TEST_SECONDS", "RETINUE_TEST_LEASE_SECONDS"
REVOKERS = 14
#: In a tree a change takes a round trip more, on the same two cores: clients leave the processes more of them.
TREE_REVOKERS, TREE_PAUSE_SECONDS = 8, 0.003
STOCK_COUNT = 8
CONTROLS = ("cache", "push only", "no lease check", "clock beyond the bound")
#: What a relay may do wrong, each a patch of its follower, and what shows it.
RELAY_CONTROLS = ("acknowledged early", "lent without bound", "children forgotten")
#: All forms together show 100 000 verifications and 1 000 changes; a run that shows less shows nothing. A slow
#: machine gets more time for it.
FORMS = ("sqlite", "postgresql", "relay")
MINIMA = {"verifications": 34_000, "near": 1_000, "endings": 334}
MOST_TIMES = 8.0
#: A shorter run leaves to the one on SQLite what would be the same on another database, or in a tree.
SHORT_SECONDS = 120.0
#: Organizations whose people are ended: so many, and more in a longer run.
GUESTS, GUESTS_EACH_SECOND = 12, 0.2
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
    return float(os.environ.get(SECONDS) or 25)


def lease_seconds() -> int:
    """Return the length of a lease in this run: 2 s, so that a short run sees many end; 10 is the native one."""
    return int(os.environ.get(LEASE) or 2)


def run(
    folder: Path, seed: str, seconds: float, lease: int, *, postgres: bool = False, tree: bool = False
) -> History:
    """Run on SQLite, or on PostgreSQL with two control planes.

    With a ``tree`` two of the nodes follow the third.
    """
    world = World(folder, None if lease == 10 else lease, postgres=postgres, tree=tree)
    is_short = seconds < SHORT_SECONDS
    history = History(behind=world.behind, planned=faults.kinds(world, is_short=is_short))
    try:
        guests = world.start(int(GUESTS + GUESTS_EACH_SECOND * seconds))
        draw = Draw(seed, guests)
        with _clients(world, history, seed, draw, tree=tree):
            injector = Injector(world, history, lease, f"{seed}/faults")
            began = now()
            injector.run(began + seconds)
            while (short := shortfalls(history)) and now() < began + seconds * MOST_TIMES:
                history.lacked = short
                injector.run(now() + _MORE_SECONDS)
            history.seconds = now() - began
            history.rates |= _clock_rates(world, {"in the run": SLOW, "fast": FAST}, lease)
            if tree:
                _wrong_relays(world, history, lease)
            if not (is_short and (postgres or tree)):
                _lawless(world, history, lease)
                _too_slow(world, history, lease, is_short=is_short)
    finally:
        world.stop()
    return history


@contextmanager
def _clients(world: World, history: History, seed: str, draw: Draw, *, tree: bool) -> Iterator[None]:
    """Let clients work meanwhile; at the end each finishes what it has begun."""
    revokers, pause = (TREE_REVOKERS, TREE_PAUSE_SECONDS) if tree else (REVOKERS, PAUSE_SECONDS)
    clients: list[Revoker | Verifier] = [
        Revoker(f"r{number}", world.connect(number), history, f"{seed}/r{number}", draw)
        for number in range(revokers)
    ]
    pushing = Draw(f"{seed}/push")
    clients.append(Revoker("push", world.connect(), history, f"{seed}/push", pushing, group=CONTROLS[1]))
    first = Client("first", world.connect(), history, seed)
    prepare(first)
    fill_stock(first, STOCK_COUNT)
    first.close()
    for name, node in world.nodes.items():
        clients.append(Verifier(name, node.node_port, history, f"{seed}/{name}", pause=pause))
    port = world.nodes[NODES[0]].node_port
    clients.append(Verifier(NODES[0], port, history, f"{seed}/cache", caches=True, pause=pause))
    watch = Watch(world.processes, history)
    watch.start()
    for client in clients:
        client.start()
    try:
        yield
    finally:
        for client in clients:
            client.stopping.set()
        for client in clients:
            client.join(_END_SECONDS)
        watch.stopping.set()
    assert [] == [client.name for client in clients if client.is_alive()]


def _lawless(world: World, history: History, lease: float) -> None:
    """Cut off a node that decides without a lease, until it is caught at it."""
    name, history.phase = NODES[0], CONTROLS[2]
    node = _again(world, name, patch=patched("no_lease_check"))
    for _ in range(_ATTEMPTS):
        _cut_off(world, name, lease)
        world.settle()
        if controls(history)[CONTROLS[2]]:
            break
    _again(world, name)
    wait_for(f"{name} is ready again", node.is_ready, seconds=RECOVERY_SECONDS)


def _too_slow(world: World, history: History, lease: float, *, is_short: bool) -> None:
    """Cut off a node with too slow a clock, until it is caught at it, or decides nothing any more.

    In a longer run wait, too, until the clock is found slow, and until one that keeps pace gets its leases back.
    """
    name, history.phase = NODES[1], CONTROLS[3]
    node = _again(world, name, rate=TOO_SLOW)
    history.rates |= _clock_rates(world, {CONTROLS[3]: name}, lease)
    for _ in range(_ATTEMPTS):
        _cut_off(world, name, lease)
        # Once its clock is found slow the node decides nothing any more, and is not ready.
        with suppress(TimeoutError):
            wait_for(f"{name} is ready", node.is_ready, seconds=RECOVERY_SECONDS)
        if controls(history)[CONTROLS[3]] or not node.is_ready():
            break
    if is_short:
        return
    history.slow_clocks = _slow_clocks(world, name)
    _again(world, name)
    # A clock that keeps pace again gets its leases back by itself.
    wait_for(f"{name} is ready again", node.is_ready, seconds=_NOTICE_SECONDS)


def _again(
    world: World, name: str, rate: float | None = None, patch: Mapping[str, str] | None = None
) -> Member:
    """Start a node again, with another clock or with what is wrong on purpose."""
    node = world.nodes[name]
    send(node.pids("everything"), signal.SIGCONT)
    node.stop()
    node.serve(rate=rate, patch=patch)
    return node


def _cut_off(world: World, name: str, lease: float) -> None:
    world.links[name].set(up=0, down=0)
    time.sleep(lease * 1.6)
    world.links[name].set()


def _wrong_relays(world: World, history: History, lease: float) -> None:
    """Stop a child of a relay that is wrong, or cut the relay off, until the child is caught at a violation."""
    child = world.nodes[NODES[1]]
    for phase in RELAY_CONTROLS:
        history.phase = phase
        relay = _again(world, NODES[0], patch=patched(phase.replace(" ", "_")))
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
    _again(world, NODES[0])
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


def _clock_rates(world: World, wanted: Mapping[str, str], lease: float) -> dict[str, float]:
    """Return how fast the clocks of nodes run, by what their polls say on their way."""
    for node in wanted.values():
        world.links[node].set()
    time.sleep(2 * lease)  # for several polls
    rates = {}
    for name, node in wanted.items():
        found = world.links[node].set()
        (real_from, told_from), (real_to, told_to) = found["first_clock"][0], found["clock"][0]
        rates[name] = float(told_to - told_from) / float(real_to - real_from)
    return rates


def shortfalls(history: History) -> dict[str, int]:
    """Return what there was too little of: verifications, changes, and faults that were confirmed."""
    found = figures(history)
    short = {name: found[name] for name, least in MINIMA.items() if found[name] < least}
    seen = {each.kind for each in history.faults if each.is_confirmed}
    ended = {each.operation for each in history.endings if not each.group}
    short |= {name: 0 for name in OPERATIONS if name not in ended}
    return short | {kind: 0 for kind in history.planned if kind not in seen}


def expected(kind: str, seconds: float) -> set[str]:
    """Return the negative controls that a run is to show."""
    found = {*CONTROLS, *(RELAY_CONTROLS if kind == "relay" else ())}
    return found - ({*CONTROLS[2:]} if kind != "sqlite" and seconds < SHORT_SECONDS else set())


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
