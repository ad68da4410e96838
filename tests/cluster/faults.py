"""Faults, one after the other, each until all is well again, and each confirmed from outside."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable

from tests.cluster.history import Fault, History, now
from tests.cluster.world import (
    RATE,
    RECOVERY_SECONDS,
    SLOW,
    Link,
    Member,
    World,
    is_stopped,
    send,
    slow_clock,
)
from tests.support.processes import is_alive, wait_for

#: What is done to a link, and what it must have seen for the fault to count.
CUTS: dict[str, tuple[dict[str, float], str]] = {
    "partition": ({"up": 0, "down": 0}, "held"),
    "polls lost": ({"up": 0}, "held"),
    "answers lost": ({"down": 0}, "held"),
    "slow link": ({"delay": 0.15}, "delayed"),
    "resets": ({"reset": 1}, "reset"),
}
STOPS = {"follower stopped": "follower", "worker stopped": "worker", "node stopped": "everything"}
KILLS = {"follower killed": "follower", "worker killed": "worker", "node killed": "everything"}
_NEW_FOLLOWER = ("follower killed", "node killed")
CONTROL = ("control stopped", "control killed", "control and supervisor killed")
KINDS = (*CUTS, *STOPS, *KILLS, *CONTROL)


class Injector:
    """Injects the faults of a run. The order is drawn anew for each round through all kinds."""

    def __init__(self, world: World, history: History, lease_seconds: float, seed: str) -> None:
        self._world = world
        self._history = history
        self._lease = lease_seconds
        self._chance = random.Random(seed)  # noqa: S311
        self._bag: list[str] = []

    def run(self, until: float) -> None:
        """Inject until the instant ``until``; at the end everything runs."""
        while now() < until:
            if not self._bag:
                self._bag = self._chance.sample(KINDS, len(KINDS))
            self.inject(self._bag.pop())
            time.sleep(self._chance.uniform(0.3, 1.2))

    def inject(self, kind: str) -> None:
        """Inject one fault, somewhere; half of the partitions hit the node with the slow clock."""
        node = self._chance.choice(list(self._world.nodes))
        if kind == "partition" and self._chance.random() < 0.5:
            node = SLOW
        follower = self._world.incarnation(node) if kind in _NEW_FOLLOWER else ""
        began = now()
        if kind in CUTS:
            is_confirmed = self._cut(self._world.links[node], *CUTS[kind])
        elif kind in CONTROL:
            node = ""
            is_confirmed = self._strike_control(kind)
        else:
            is_confirmed = self._strike_node(kind, node)
        self._world.settle(node if follower else "", follower)
        self._history.faults.append(Fault(kind, node, began, now(), is_confirmed, follower))

    def _last(self, least: float = 0.4, most: float = 1.5) -> None:
        """Let a fault last for a part of a lease, or longer than it."""
        time.sleep(self._lease * self._chance.uniform(least, most))

    def _cut(self, link: Link, how: dict[str, float], sign: str) -> bool:
        link.set(**how)
        self._last()
        return bool(link.set()[sign])

    def _strike_node(self, kind: str, name: str) -> bool:
        node = self._world.nodes[name]
        if kind in STOPS:
            return self._stop(node.pids(STOPS[kind]))
        if KILLS[kind] != "everything":
            return self._kill(node.pids(KILLS[kind]))
        is_confirmed = self._kill_all(node)
        self._last(0.0, 0.5)
        node.serve(slow_clock(RATE) if name == SLOW else None)
        return is_confirmed

    def _strike_control(self, kind: str) -> bool:
        control = self._chance.choice(self._world.controls)
        if kind == "control stopped":
            return self._stop(control.pids("everything"))
        if kind == "control killed":
            return self._kill(control.pids("control"))
        is_confirmed = self._kill_all(control)
        self._last(0.0, 0.3)
        control.serve()
        return is_confirmed

    def _stop(self, pids: list[int]) -> bool:
        send(pids, signal.SIGSTOP)
        try:
            self._last()
            return _all(pids, is_stopped)
        finally:
            send(pids, signal.SIGCONT)

    def _kill(self, pids: list[int]) -> bool:
        """Kill processes; their supervisor starts others."""
        send(pids, signal.SIGKILL)
        wait_for("they are gone", lambda: not any(map(is_alive, pids)), seconds=RECOVERY_SECONDS)
        return bool(pids)

    def _kill_all(self, member: Member) -> bool:
        pids = member.pids("everything")
        member.kill()
        return _all(pids, lambda pid: not is_alive(pid))


def _all(pids: list[int], is_so: Callable[[int], bool]) -> bool:
    return bool(pids) and all(map(is_so, pids))
