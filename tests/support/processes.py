"""Child processes of tests: free ports, waiting for a condition, and an end by process id."""

from __future__ import annotations

import ctypes
import os
import secrets
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_PR_SET_PDEATHSIG = 1
_LOCAL_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FIRST_PORT = 12_000
#: What keeps the ports that were given out.
_reserved: list[socket.socket] = []
_libc = ctypes.CDLL(None, use_errno=True)


def free_ports(count: int) -> list[int]:
    """Return ``count`` distinct ports on the loopback that nobody listened on a moment ago.

    They lie below those that the kernel gives to outgoing connections: a client that keeps calling a server
    which is down would else one day take its port, and be connected with itself. Until this process ends no
    other run of tests is given them: between the choice and the bind of a server they would be anybody's.
    """
    upto = max(int(_LOCAL_PORTS.read_text().split()[0]), 32_768)
    found: list[int] = []
    with ExitStack() as opened:
        while len(found) < count:
            each = opened.enter_context(socket.socket())
            port = _FIRST_PORT + secrets.randbelow(upto - _FIRST_PORT)
            if not reserve(port):
                continue
            with suppress(OSError):
                each.bind(("127.0.0.1", port))
                found.append(port)
    return found


def reserve(port: int) -> bool:
    """Keep a port for this process; false if a process of tests has it already.

    The name is an abstract one, which ends with its socket, and so with the process.
    """
    kept = socket.socket(socket.AF_UNIX)
    try:
        kept.bind(f"\0retinue-test-port-{port}")
    except OSError:
        kept.close()
        return False
    _reserved.append(kept)
    return True


def free_port() -> int:
    """Return one port on the loopback that nobody listened on a moment ago."""
    return free_ports(1)[0]


def wait_for(what: str, probe: Callable[[], T], *, seconds: float = 60.0, every: float = 0.02) -> T:
    """Call ``probe`` until its result is true, and return it. Raises ``TimeoutError`` naming ``what``.

    How long is no guarantee of the product, but the end of a test that hangs: other work on the machine must
    not make it one.
    """
    deadline = time.monotonic() + seconds
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(every)


def status_of(
    url: str, headers: dict[str, str] | None = None, *, tls: ssl.SSLContext | None = None
) -> int | None:
    """Return the HTTP status of a GET; ``None`` if nobody answers."""
    request = urllib.request.Request(url, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=10, context=tls) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return None


def end_with_parent(end: signal.Signals = signal.SIGTERM) -> Callable[[], None]:
    """Return a ``preexec_fn`` that makes the child end when the process that started it dies.

    The child hears Ctrl-C as in a terminal, also where the tests run in the background of a shell.
    """

    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        _libc.prctl(_PR_SET_PDEATHSIG, int(end), 0, 0, 0)

    return prepare


def stop(
    process: subprocess.Popen[bytes], *, seconds: float = 60.0, first: signal.Signals = signal.SIGTERM
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
