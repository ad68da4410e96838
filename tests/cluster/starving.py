"""How long processes of a run were ready to go on and got no processor: what the machine is to blame for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.cluster.history import History, now

EVERY_SECONDS = 0.25
_REFRESH = 4
#: Where a process stands, by the name of its machine; the control planes' is empty.
Processes = Callable[[], Iterable[tuple[str, int]]]


class Watch(threading.Thread):
    """Notes it in the history, all the time."""

    def __init__(self, processes: Processes, history: History) -> None:
        super().__init__(name="watch", daemon=True)
        self.stopping = threading.Event()
        self._processes = processes
        self._history = history
        self._seen: dict[Path, int] = {}

    def run(self) -> None:
        """Look until told to stop."""
        looks, watched = 0, list[tuple[str, int]]()
        while not self.stopping.wait(EVERY_SECONDS):
            if looks % _REFRESH == 0:
                watched = list(self._processes())
            looks += 1
            for machine, pid in watched:
                self._history.starved.append((now(), machine, self._waited(pid)))

    def _waited(self, pid: int) -> float:
        """Return for how long all threads of a process together have waited for a processor since last time."""
        waited = 0
        for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                total = int(path.read_text().split()[1])
            except (OSError, IndexError):
                continue  # that thread has ended
            waited += total - self._seen.get(path, total)
            self._seen[path] = total
        return waited / 1e9


def starved(history: History, machines: Iterable[str], began: float, ended: float) -> float:
    """Return for how many seconds one of these machines got no processor between two instants."""
    wanted = set(machines)
    found = dict.fromkeys(wanted, 0.0)
    for at, machine, seconds in history.starved:
        if machine in wanted and began <= at <= ended + 2 * EVERY_SECONDS:
            found[machine] += seconds
    return max(found.values(), default=0.0)
