"""Child processes of tests: free ports, waiting for a condition, and an end by process id."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def free_ports(count: int) -> list[int]:
    """Return ``count`` distinct ports on the loopback that nobody listened on a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


def free_port() -> int:
    """Return one port on the loopback that nobody listened on a moment ago."""
    return free_ports(1)[0]


def wait_for(what: str, probe: Callable[[], T], *, seconds: float = 10.0, every: float = 0.02) -> T:
    """Call ``probe`` until its result is true, and return it. Raises ``TimeoutError`` naming ``what``."""
    deadline = time.monotonic() + seconds
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(every)


def status_of(url: str, headers: dict[str, str] | None = None) -> int | None:
    """Return the HTTP status of a GET; ``None`` if nobody answers."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return None


def end_with_parent(end: signal.Signals = signal.SIGTERM) -> Callable[[], None]:
    """Return a ``preexec_fn`` that makes the child end when the process that started it dies."""

    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(end), 0, 0, 0)

    return prepare


def stop(
    process: subprocess.Popen[bytes], *, seconds: float = 25.0, first: signal.Signals = signal.SIGTERM
) -> int:
    """Ask one process to end, by its id; kill it if it has not ended in time. Returns its exit code."""
    if process.poll() is None:
        process.send_signal(first)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def children(pid: int) -> list[int]:
    """Return the ids of the direct children of ``pid``, ascending."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(entry.name))
    return sorted(found)


def descendants(pid: int) -> list[int]:
    """Return the ids of all processes below ``pid``."""
    below: list[int] = []
    for each in children(pid):
        below += [each, *descendants(each)]
    return below


def is_alive(pid: int) -> bool:
    """Tell whether ``pid`` runs (a zombie does not)."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
