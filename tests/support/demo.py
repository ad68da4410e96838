"""A running ``retinue demo``, and what is left of it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import descendants, free_ports, is_alive, reserve, wait_for

#: Generous: what it takes is printed.
MOST_SECONDS = 300.0


class Demo:
    """A demo on a terminal of its own; ``program`` is the `retinue` that runs it."""

    def __init__(self, program: str, folder: Path, *arguments: str, **environment: str) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        self.environment = {**os.environ, **environment, "TMPDIR": str(self.temporary)}
        self.shown = ""
        self.began = time.monotonic()
        mine, terminal = os.openpty()
        self.process = subprocess.Popen(
            [program, "demo", *arguments],
            env=self.environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        self._reader = threading.Thread(target=self._read, args=(mine,), daemon=True)
        self._reader.start()
        self._seen: set[int] = set()

    def _read(self, terminal: int) -> None:
        while True:
            try:
                data = os.read(terminal, 65536)
            except OSError:  # the other end is closed
                break
            self.shown += data.decode().replace("\r\n", "\n")
        os.close(terminal)

    def told(self, pattern: str) -> str:
        """Wait until the demo shows what ``pattern`` finds, and return its group."""
        wait_for(f"the demo shows {pattern}", lambda: self._found(pattern) is not None, seconds=MOST_SECONDS)
        found = self._found(pattern)
        assert found is not None
        return found

    def _found(self, pattern: str) -> str | None:
        self._seen.update(descendants(self.process.pid))
        match = re.search(pattern, self.shown, re.MULTILINE)
        if match is None and self.process.poll() is not None:
            pytest.fail(f"the demo ended with {self.process.returncode}: {self.shown}")
        return match[1] if match else None

    def shell(self, line: str) -> str:
        """Run a printed line as somebody who pastes it does; return what it prints."""
        done = subprocess.run(
            ["bash", "-ec", line],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, f"{line}: {done.stderr}{done.stdout}"
        return done.stdout

    def waits_for(self, line: str, words: set[str]) -> None:
        """Repeat a line until what it prints has all of ``words``; findings are renewed each minute."""
        wait_for(f"{line}: {words}", lambda: words <= set(self.shell(line).split()), seconds=300, every=0.5)

    def status(self, curl: str) -> str:
        """Return the status that a printed curl gets."""
        return self.shell(f"{curl} -sS -o /dev/null -w '%{{http_code}}'")

    def end(self, number: signal.Signals) -> int:
        """Send a signal, wait for the end, and return the exit code."""
        self._seen.update(descendants(self.process.pid))
        self.process.send_signal(number)
        return self.process.wait(MOST_SECONDS)

    def left(self) -> list[str]:
        """Return what is left of it: files, and processes."""
        alive = [f"process {pid}" for pid in sorted(self._seen) if is_alive(pid)]
        return [str(each) for each in self.temporary.iterdir()] + alive


@contextmanager
def started(program: str, folder: Path, *arguments: str, **environment: str) -> Iterator[Demo]:
    """Start a demo; it is ended in any case."""
    demo = Demo(program, folder, *arguments, **environment)
    try:
        yield demo
    finally:
        if demo.process.poll() is None:
            demo.end(signal.SIGTERM)


def three_ports() -> int:
    """Return a port that is free, as are the next two."""
    while True:
        first = free_ports(1)[0]
        try:
            for port in range(first, first + 3):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        if all(map(reserve, range(first + 1, first + 3))):
            return first
