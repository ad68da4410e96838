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
    """Requests a second, CPU microseconds of a request, and latencies in microseconds."""

    per_second: float
    cpu_us: float
    p50_us: float = 0.0
    p99_us: float = 0.0


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


def beside() -> None:
    """Put this process on the core of the load."""
    os.sched_setaffinity(0, _LOAD)


@dataclass(frozen=True)
class Memory:
    """Megabytes of a server's processes: at their peak, as their share, and what is theirs alone."""

    peak_mb: float
    share_mb: float
    private_mb: float


def memory(pid: int) -> Memory:
    """Return what a process and its children hold: VmHWM, Pss, and the anonymous part of Pss."""
    told: dict[str, float] = {}
    for each in [pid, *_children(pid)]:
        text = Path(f"/proc/{each}/status").read_text() + Path(f"/proc/{each}/smaps_rollup").read_text()
        for name, number in re.findall(r"^(VmHWM|Pss|Pss_Anon):\s+(\d+) kB", text, re.MULTILINE):
            told[name] = told.get(name, 0.0) + int(number) / 1024
    return Memory(told.get("VmHWM", 0.0), told.get("Pss", 0.0), told.get("Pss_Anon", 0.0))


@contextmanager
def worker(home: Path, *, module: str = "retinue.node") -> Iterator[Server]:
    """Run one worker of a node, with the baselines of measurements."""
    port = free_port()
    told = {"RETINUE_HOME": str(home), "RETINUE_NODE_PORT": str(port), "RETINUE_BENCH": "1"}
    command = [sys.executable, "-m", module, "worker", "--index", "0"]
    with running(command, f"http://127.0.0.1:{port}", "/readyz", {**os.environ, **told}) as server:
        yield server


@contextmanager
def nginx(folder: Path) -> Iterator[Server]:
    """Run one nginx worker that answers a constant."""
    port = free_port()
    folder.mkdir()
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX.format(folder=folder, port=port))
    command = [str(nginx_program()), "-p", str(folder), "-c", str(configuration), "-e", "stderr"]
    with running(command, f"http://127.0.0.1:{port}", "/", dict(os.environ)) as server:
        yield server


@contextmanager
def running(
    command: list[str],
    url: str,
    ready: str,
    environment: dict[str, str],
    *,
    any_status: bool = False,
    patience: float = 15,
) -> Iterator[Server]:
    """Run a server on its core until it answers ``ready``; with ``any_status``, whatever it answers."""
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, _SERVER),
    )
    try:
        deadline = time.monotonic() + patience
        while not _answers(url + ready, any_status=any_status):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[0]} does not answer")
            time.sleep(0.05)
        yield Server(url, process)
    finally:
        process.terminate()
        process.wait(30)


def measure(
    server: Server, path: str, seconds: float, script: Path | None = None, connections: int = CONNECTIONS
) -> Figures:
    """Load one path for some seconds. Raises if any answer was not 2xx, or wrk saw an error."""
    command = ["wrk", "-t1", "--latency", "--timeout", "15s", f"-c{connections}", f"-d{seconds:g}s"]
    command += ["-s", str(script)] if script else []
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
    if not int(total[1]):  # the machine was busy with something else, or the time too short
        return measure(server, path, 2 * seconds, script, connections)
    p50, p99 = (_microseconds(text, each) for each in ("50", "99"))
    return Figures(float(rate[1]), spent / 1000 / int(total[1]), p50, p99)


def _microseconds(text: str, percent: str) -> float:
    found = re.search(rf"^ +{percent}% +([0-9.]+)(us|ms|s)$", text, re.MULTILINE)
    return 0.0 if found is None else float(found[1]) * {"us": 1, "ms": 1e3, "s": 1e6}[found[2]]


def _cpu_ns(pid: int) -> int:
    """Return the CPU time of a process and its children, in nanoseconds."""
    ticks = 0
    for each in [pid, *_children(pid)]:
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _answers(url: str, *, any_status: bool) -> bool:
    try:
        urllib.request.urlopen(url, timeout=1).close()
    except urllib.error.HTTPError as error:
        error.close()
        return any_status
    except (urllib.error.URLError, OSError):
        return False
    return True


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
