"""Faults, one after the other, each until all is well again, and each confirmed from outside."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable

from tests.cluster.clocks import SLOW, STEP_SECONDS
from tests.cluster.history import Fault, History, now
from tests.cluster.restoring import FAILOVERS, FORGETTING, RESTORE, Restoring
from tests.cluster.world import RECOVERY_SECONDS, Link, Member, World, is_stopped, send, told_clock
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
_PAUSE = (0.2, 0.8)
CONTROL = ("control stopped", "control killed", "control and supervisor killed")
#: Of the machine: a wall clock that is set wrong and right again, a disk without room.
STEPS = {"wall clock set forward": 1, "wall clock set back": -1}
MACHINE = (*STEPS, "disk full")
CONTROL_STEPS = {"control's wall clock set back": -1, "control's wall clock set forward": 1}
CONTROL_DISK = "control's disk full"
MACHINE_CONTROL = (*CONTROL_STEPS, CONTROL_DISK)
KINDS = (*CUTS, *STOPS, *KILLS, *CONTROL, *MACHINE, *MACHINE_CONTROL, RESTORE)
#: What a short run leaves to those of the other forms: together they see every kind.
LEFT_OUT = {
    "sqlite": frozenset(
        {"answers lost", "resets", "worker stopped", "worker killed", "node stopped", "follower killed"}
        | {"control stopped", "wall clock set back"}
    ),
    "postgresql": frozenset(
        {"polls lost", "slow link", "resets", "follower stopped", "worker stopped", "worker killed"}
        | {"node killed", "control and supervisor killed", "wall clock set forward", "disk full"}
        | {*MACHINE_CONTROL, RESTORE}
    ),
    "relay": frozenset(
        {"polls lost", "answers lost", "slow link", "node stopped", "control killed"}
        | {"control and supervisor killed", *MACHINE, *MACHINE_CONTROL, "database locked"}
    ),
}


def kinds(world: World, *, is_short: bool) -> tuple[str, ...]:
    """Return what is to happen in a run."""
    found = [*KINDS, *world.database.outages]
    if world.database.has_standby:
        found += FAILOVERS
        found.remove(CONTROL_DISK)  # nothing that grows is on that disk
    form = "relay" if world.behind else "postgresql" if world.database.has_standby else "sqlite"
    return tuple(kind for kind in found if not (is_short and kind in LEFT_OUT[form]))


class Injector:
    """Injects the faults of a run. The order is drawn anew for each round through all kinds."""

    def __init__(self, world: World, history: History, lease_seconds: float, seed: str) -> None:
        self._world = world
        self._history = history
        self._lease = lease_seconds
        self._chance = random.Random(seed)  # noqa: S311
        self._bag: list[str] = []
        self._restoring = Restoring(world, history, self._last)

    def run(self, until: float) -> None:
        """Inject until the instant ``until``; at the end everything runs."""
        while now() < until:
            if not self._bag:
                self._bag = self._chance.sample(self._history.planned, len(self._history.planned))
            self.inject(self._bag.pop())
            time.sleep(self._chance.uniform(*_PAUSE))

    def inject(self, kind: str) -> None:
        """Inject one fault, somewhere; half of the partitions hit the node with the slow clock."""
        node = self._chance.choice(list(self._world.nodes))
        if kind == "partition" and self._chance.random() < 0.5:
            node = SLOW
        follower = self._world.incarnation(node) if kind in _NEW_FOLLOWER else ""
        began = now()
        if kind in CUTS:
            is_confirmed = self._cut(self._world.links[node], *CUTS[kind])
        elif kind in MACHINE:
            is_confirmed = self._strike_machine(kind, node)
        elif kind in (*STOPS, *KILLS):
            is_confirmed = self._strike_node(kind, node)
        else:
            node = ""
            is_confirmed = self._strike_center(kind)
        self._world.settle(node if follower else "", follower)
        self._history.faults.append(Fault(kind, node, began, now(), is_confirmed, follower))

    def _strike_center(self, kind: str) -> bool:
        outages = self._world.database.outages
        if kind in outages:
            return outages[kind](self._last)
        if kind in FORGETTING:
            return self._restoring.run(kind)
        control = self._chance.choice(self._world.controls)
        if kind in CONTROL_STEPS:
            return self._step(control, CONTROL_STEPS[kind] * STEP_SECONDS, lambda: told_clock(control))
        if kind == CONTROL_DISK:
            return self._fill(control)
        return self._strike_control(kind, control)

    def _strike_machine(self, kind: str, name: str) -> bool:
        node, link = self._world.nodes[name], self._world.links[name]
        if kind not in STEPS:
            return self._fill(node)
        return self._step(node, STEPS[kind] * STEP_SECONDS, lambda: link.set().get("ahead"))

    def _step(self, member: Member, seconds: float, ahead: Callable[[], float | None]) -> bool:
        """Set a wall clock wrong and right again; it must have been seen to be wrong."""
        ahead()
        member.clock.step(seconds)
        self._last()
        found = ahead()
        member.clock.step(0)
        return found is not None and abs(found - seconds) < STEP_SECONDS / 2

    def _fill(self, member: Member) -> bool:
        assert member.disk is not None
        member.disk.fill()
        self._last()
        is_full = member.disk.is_full()
        member.disk.free()
        return is_full

    def _last(self, least: float = 0.3, most: float = 1.4) -> None:
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
        node.serve()
        return is_confirmed

    def _strike_control(self, kind: str, control: Member) -> bool:
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
