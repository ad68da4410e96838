"""``python -m retinue.demo.callers``: programs that call the protected application, each with its own token.

A caller is two files in the folder: ``NAME.json`` says what it calls and how often, ``NAME.token`` (mode
0600) holds its token. Both are read for every call, so one whose token is replaced goes on with the new one.
"""

from __future__ import annotations

import argparse
import http.client
import json
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

from retinue.demo.files import private
from retinue.supervisor import die_with_parent

TIMEOUT_SECONDS = 5.0
#: How often the folder is looked at, in seconds: also the shortest pause between two calls of one caller.
TICK_SECONDS = 0.25


def write(folder: Path, name: str, token: str, calls: list[str], every: float) -> None:
    """Let a caller go round ``calls`` (such as ``GET /reports``), one each ``every`` seconds."""
    private(folder / f"{name}.token", token + "\n")
    private(folder / f"{name}.json", json.dumps({"calls": calls, "every": every}))


def call(port: int, name: str, token: str, method: str, path: str) -> int:
    """Make one call and return its status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        headers = {"Authorization": f"Bearer {token}", "User-Agent": f"{name}/1.4"}
        connection.request(method, path, body=b"{}" if method == "POST" else None, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


class Round:
    """When each caller is due, and what it calls next."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._next: dict[str, tuple[float, int]] = {}

    def turn(self, now: float) -> None:
        """Make the calls that are due."""
        for described in sorted(self._folder.glob("*.json")):
            name = described.stem
            due, number = self._next.get(name, (now, 0))
            if due > now:
                continue
            plan = json.loads(described.read_text())
            method, _, path = plan["calls"][number % len(plan["calls"])].partition(" ")
            token = described.with_suffix(".token").read_text().strip()
            with suppress(OSError, http.client.HTTPException):  # the application restarts, or ends
                call(self._port, name, token, method, path)
            self._next[name] = now + plan["every"], number + 1


def main() -> int:
    """Call until SIGTERM."""
    die_with_parent()
    parser = argparse.ArgumentParser(prog="python -m retinue.demo.callers", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    ending = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ending.set()

    signal.signal(signal.SIGTERM, end)
    callers = Round(options.folder, options.port)
    while not ending.wait(TICK_SECONDS):
        callers.turn(time.monotonic())
    return 0


if __name__ == "__main__":
    sys.exit(main())
