"""Servers under load: each pinned to one core, the load generator (wrk) to another.

The figure that travels between machines is the CPU time of a request, summed over a server's processes;
requests a second stand beside it. Targets are loopback addresses of servers started here.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 64
_CORES = sorted(os.sched_getaffinity(0))
_SERVER, _LOAD = {_CORES[0]}, {_CORES[-1]}
_NGINX = """\
daemon off; worker_processes 1; error_log stderr crit; pid {folder}/pid;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; location / {{ default_type text/plain; return 200 "hello\\n"; }} }}
}}
"""


@dataclass(frozen=True)
class Server:
    """A running server: where it answers, and the process whose tree's CPU time counts."""

    url: str
    process: subprocess.Popen[bytes]


@dataclass(frozen=True)
class Figures:
    """Requests a second, and CPU microseconds of a request."""

    per_second: float
    cpu_us: float


def wrk_program() -> str | None:
    """Return the load generator, if this machine has it."""
    return shutil.which("wrk")


def nginx_program() -> str | None:
    """Return nginx: the machine's own, or the wheel's."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        beside = Path(sys.executable).with_name("nginx")
        found = str(beside) if beside.exists() else None
    return found


@contextmanager
def worker(home: Path) -> Iterator[Server]:
    """Run one worker of a node, with the baselines of measurements."""
    port = _free_port()
    told = {"RETINUE_HOME": str(home), "RETINUE_NODE_PORT": str(port), "RETINUE_BENCH": "1"}
    command = [sys.executable, "-m", "retinue.node", "worker", "--index", "0"]
    with _running(command, f"http://127.0.0.1:{port}", "/readyz", {**os.environ, **told}) as server:
        yield server


@contextmanager
def nginx(folder: Path) -> Iterator[Server]:
    """Run one nginx worker that answers a constant."""
    port = _free_port()
    folder.mkdir()
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX.format(folder=folder, port=port))
    command = [str(nginx_program()), "-p", str(folder), "-c", str(configuration), "-e", "stderr"]
    with _running(command, f"http://127.0.0.1:{port}", "/", dict(os.environ)) as server:
        yield server


@contextmanager
def _running(command: list[str], url: str, ready: str, environment: dict[str, str]) -> Iterator[Server]:
    process = subprocess.Popen(
        command,
        env=environment,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, _SERVER),
    )
    try:
        deadline = time.monotonic() + 15
        while not _answers(url + ready):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[0]} does not answer")
            time.sleep(0.05)
        yield Server(url, process)
    finally:
        process.terminate()
        process.wait(30)


def measure(server: Server, path: str, seconds: float, script: Path | None = None) -> Figures:
    """Load one path for some seconds. Raises if any answer was not 2xx, or wrk saw an error."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", *(["-s", str(script)] if script else [])]
    before = _cpu_ns(server.process.pid)
    text = subprocess.run(
        [*command, server.url + path],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, _LOAD),
    ).stdout
    spent = _cpu_ns(server.process.pid) - before
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", text)
    total = re.search(r"([0-9]+) requests in", text)
    if "Non-2xx" in text or "Socket errors" in text or rate is None or total is None:
        raise SystemExit(f"{server.url}{path}: not every answer was good\n{text}")
    return Figures(float(rate[1]), spent / 1000 / int(total[1]))


def _cpu_ns(pid: int) -> int:
    """Return the CPU time of a process and its children, in nanoseconds."""
    ticks = 0
    for each in [pid, *_children(pid)]:
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=1).close()
    except (urllib.error.URLError, OSError):
        return False
    return True


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
