"""The database forgets: a backup is put back, or a standby takes over. What clients were promised still holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.cluster.history import History, Loss, now
from tests.cluster.world import RECOVERY_SECONDS, World
from tests.support.processes import wait_for

RESTORE = "backup restored"
FAILOVERS = ("failover to a standby that lags", "failover to a standby that confirms")
FORGETTING = (RESTORE, *FAILOVERS)


class Restoring:
    """Restores and failovers of one run. ``last`` lets clients work for a while."""

    def __init__(self, world: World, history: History, last: Callable[[], None]) -> None:
        self._world = world
        self._history = history
        self._last = last

    def run(self, kind: str) -> bool:
        """Let access end, and the database forget it. Tell whether another epoch began and what is due was reported."""
        world = self._world
        before = wait_for("the control plane answers", world.epoch, seconds=RECOVERY_SECONDS)["epoch"]
        since = self._restore() if kind == RESTORE else self._fail_over(is_synchronous=kind == FAILOVERS[1])
        lost = self._recovered(before)["lost"]
        if kind == FAILOVERS[1]:
            if any(lost.values()):
                self._history.refusals.append(f"lost though the standby had confirmed it: {lost}")
            return True
        self._history.losses.append(Loss(since, now()))
        has_ended = any(each.called > since and not each.group for each in self._history.endings)
        return lost["replayed"] + lost["closed"] > 0 or not has_ended

    def _restore(self) -> float:
        """Make a backup, and later put it back as the documentation says it; return when it was made."""
        self._world.database.save()
        since = now()
        self._last()
        self._history.is_restoring = True
        for control in self._world.controls:
            control.kill()
        self._world.database.put_back()
        for number, control in enumerate(self._world.controls):
            control.serve(*(["--restored"] if not number else []))
        return since

    def _fail_over(self, *, is_synchronous: bool) -> float:
        """Let a standby take over while the control planes run; return from when on it may have missed something."""
        database = self._world.database
        database.follow(is_synchronous=is_synchronous)
        since = now()
        if not is_synchronous:
            database.detach()
        self._last()
        self._history.is_restoring = True
        database.fail_over()
        return since

    def _recovered(self, before: int) -> Any:
        """Wait until a later epoch is open, and return it."""

        def opened() -> Any:
            found = self._world.epoch()
            return found if found and found["state"] == "open" and found["epoch"] > before else None

        found = wait_for("the history is sure again", opened, seconds=RECOVERY_SECONDS)
        self._history.is_restoring = False
        if found["lost"]["open"] or found["lost"]["waiting"]:
            self._history.refusals.append(f"after the database forgot: {found['lost']}")
        return found
