"""Kills processes of a running installation with SIGKILL, at random moments and while a change is on its way."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from tests.crash.history import History, Kill, now
from tests.support.installation import Installation
from tests.support.planes import members
from tests.support.processes import children, wait_for
from tests.support.wire import Broken, Wire

#: Each kind is struck at least as often in each round through the list, in an order drawn anew.
ROUND = (
    "control",
    "serving",
    "control",
    "follower",
    "follower",
    "worker",
    "worker",
    "supervisor",
    "everything",
)
#: After these nobody is left who would start anything again.
_NEEDS_START = frozenset({"supervisor", "everything"})
_NEW_FOLLOWER = frozenset({"follower"}) | _NEEDS_START
_STOPS_FEED = frozenset({"control", "serving"}) | _NEW_FOLLOWER
#: A change takes some milliseconds; a kill within so many of its sending hits it before, in and after its commit.
_FLIGHT_SECONDS = 0.03
_ARMED_SECONDS = 1.0
#: The share of strikes that wait for a change in flight.
_IN_FLIGHT = 0.6
RECOVERY_SECONDS = 40.0


class Striker:
    """Strikes one installation. ``sent`` is what the clients call when a change has just been sent."""

    def __init__(self, installation: Installation, history: History, seed: str) -> None:
        self._installation = installation
        self._history = history
        self._chance = random.Random(seed)  # noqa: S311
        self._wire = Wire(installation.url, installation.token())
        self._armed: Callable[[], None] | None = None
        self._lock = threading.Lock()

    def run(self, until: float) -> None:
        """Strike until the instant ``until``; at the end everything runs."""
        bag: list[str] = []
        while now() < until:
            if not bag:
                bag = self._chance.sample(ROUND, len(ROUND))
            self._calamity(bag)
            time.sleep(self._chance.uniform(0.5, 1.5))

    def sent(self) -> None:
        """A change has been sent: if a strike waits for that, it falls now."""
        with self._lock:
            strike, self._armed = self._armed, None
        if strike is not None:
            strike()

    def settle(self) -> None:
        """Wait until the node has applied everything; nobody may change anything meanwhile."""
        wait_for("the node is at the head", self._is_settled, seconds=RECOVERY_SECONDS)

    def _is_settled(self) -> bool:
        began = time.time()
        wait_for("the node is heard", lambda: self.heard()[1] > began, seconds=RECOVERY_SECONDS)
        return bool(self._wire.call("GET", "/v1/nodes").body["items"][0]["lag"] == 0)

    def heard(self) -> tuple[str, float]:
        """Return the incarnation that was heard last and when (wall clock); waits for the control plane."""
        found = wait_for("the control plane answers", self._heard, seconds=RECOVERY_SECONDS)
        assert found is not None  # what was waited for is true
        return found

    def _heard(self) -> tuple[str, float] | None:
        try:
            reply = self._wire.call("GET", "/v1/nodes")
        except Broken:
            return None
        if reply.status != 200:
            return None
        (node,) = reply.body["items"]
        return node["incarnation"], datetime.fromisoformat(node["last_contact_at"]).timestamp()

    def _calamity(self, bag: list[str]) -> None:
        """Strike one kind, at times a second one before the first is mended, and wait until all is mended."""
        before, _ = self.heard()
        began = now()
        struck = [self._strike(bag.pop())]
        if bag and self._chance.random() < 0.3:
            time.sleep(self._chance.uniform(0.0, 1.5))
            struck.append(self._strike(bag.pop()))
        if not _STOPS_FEED.intersection(struck):
            return
        end = time.time()
        # The old follower may have sent a last poll before it died.
        is_new = bool(_NEW_FOLLOWER.intersection(struck))

        def is_mended() -> bool:
            found = self._heard()
            return found is not None and found[1] > end and (not is_new or found[0] != before)

        wait_for(f"the feed goes on after {struck}", is_mended, seconds=RECOVERY_SECONDS)
        self._history.disturbances.append((began, now()))

    def _strike(self, kind: str) -> str:
        """Kill one kind: at once, or in the flight of the next change. Returns the kind."""
        if self._chance.random() >= _IN_FLIGHT or not self._strike_in_flight(kind):
            self._kill(kind, mid_request=False)
        if kind in _NEEDS_START:
            self._installation.start()
        return kind

    def _strike_in_flight(self, kind: str) -> bool:
        """Let the next client that sends a change do it; false if none did for a while."""
        delay, fired = self._chance.uniform(0.0, _FLIGHT_SECONDS), threading.Event()

        def strike() -> None:
            try:
                time.sleep(delay)
                self._kill(kind, mid_request=True)
            finally:
                fired.set()

        with self._lock:
            self._armed = strike
        if fired.wait(_ARMED_SECONDS):
            return True
        with self._lock:
            is_taken, self._armed = self._armed is None, None
        return is_taken and fired.wait(RECOVERY_SECONDS)

    def _kill(self, kind: str, *, mid_request: bool) -> None:
        if kind in _NEEDS_START:
            self._installation.kill(alone=kind == "supervisor")
        elif victims := self._victims(kind):
            for pid in victims:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        else:
            return
        self._history.kills.append(Kill(kind, now(), mid_request))

    def _victims(self, kind: str) -> list[int]:
        process = self._installation.process
        if process is None:
            return []
        found = members(process.pid)
        if kind == "worker":
            workers = [pid for name, pid in found.items() if name.startswith("worker")]
            return workers and [self._chance.choice(workers)]
        if kind == "serving":
            return [] if "control" not in found else children(found["control"])
        return [found[kind]] if kind in found else []
