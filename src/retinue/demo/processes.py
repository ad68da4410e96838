"""The demo's processes: started below this one, and gone with it, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from retinue.supervisor import SUPERVISED, SUPERVISOR_PID

READY_SECONDS = 60.0
STOP_SECONDS = 25.0
_LAST_LINES = 15


class DemoError(Exception):
    """The demo cannot go on; the text says what happened."""


class Processes:
    """The processes of one demo, in the order of their start; what they say goes to ``log``."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        supervised = {SUPERVISED: "1", SUPERVISOR_PID: str(os.getpid())}
        self._environment = {**environment, **supervised}
        self._log = log
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start ``python -m`` with these arguments; Ctrl-C reaches it through :meth:`stop` only."""
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._running.append(process)
        return process

    def finish(self, *arguments: str) -> None:
        """Run ``python -m`` with these arguments to its end. Raises :class:`DemoError` if it fails."""
        process = self.start(*arguments)
        if process.wait() != 0:
            raise DemoError(f"{' '.join(arguments[:2])} ended with {process.returncode}: {self.said()}")
        self._running.remove(process)

    def wait_for(self, url: str, process: subprocess.Popen[bytes]) -> None:
        """Wait until ``url`` answers. Raises :class:`DemoError` if ``process`` ends, or it takes too long."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise DemoError(f"what should answer at {url} ended: {self.said()}")
            with suppress(urllib.error.URLError, OSError), urllib.request.urlopen(url, timeout=2):  # noqa: S310
                return
            time.sleep(0.05)
        raise DemoError(f"{url} does not answer after {READY_SECONDS:.0f} s: {self.said()}")

    def ended(self) -> bool:
        """Tell whether a process that should run has ended."""
        return any(process.poll() is not None for process in self._running)

    def said(self) -> str:
        """Return the last lines of what the processes said."""
        lines: Sequence[str] = (
            self._log.read_text(errors="replace").splitlines() if self._log.exists() else ()
        )
        return "\n".join(lines[-_LAST_LINES:])

    def stop(self) -> None:
        """End all of them, the last first, and what they started; a process that does not end is killed."""
        for process in reversed(self._running):
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in reversed(self._running):
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(deadline - time.monotonic(), 0.1))
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._running.clear()
