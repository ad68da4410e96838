"""``make run``: Retinue with sample data on SQLite, and a sample API that it protects.

Makes what is not there yet in ``$RETINUE_HOME`` (default ``./retinue-data``), starts everything, and
prints a ``curl`` that works. Ctrl-C ends all of it. ``RETINUE_PORT``, ``RETINUE_NODE_PORT`` and
``SAMPLE_PORT`` choose other ports.
"""

from __future__ import annotations

import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType

from retinue.cli.exits import Exit
from retinue.supervisor import SUPERVISED, SUPERVISOR_PID

HOME = Path(os.environ.get("RETINUE_HOME") or "retinue-data").absolute()
CONTROL, NODE, SAMPLE = (
    int(os.environ.get(name) or default)
    for name, default in (("RETINUE_PORT", 8470), ("RETINUE_NODE_PORT", 8471), ("SAMPLE_PORT", 8472))
)
CONTROL_URL, NODE_URL, SAMPLE_URL = (f"http://127.0.0.1:{port}" for port in (CONTROL, NODE, SAMPLE))
START_SECONDS = 30.0
STOP_SECONDS = 30.0
EMAIL = "admin@acme.example"
#: What the command line needs to reach this installation.
ENVIRONMENT = {
    **os.environ,
    "RETINUE_HOME": str(HOME),
    "RETINUE_URL": CONTROL_URL,
    "RETINUE_NODE_URL": NODE_URL,
    "RETINUE_TOKEN_FILE": str(HOME / "admin-token"),
}


def main() -> int:
    """Set up, start, print, wait. Returns 0 after Ctrl-C, otherwise the exit code of ``retinue serve``."""
    # SIGINT too: a shell starts background jobs with it ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    processes: list[subprocess.Popen[bytes]] = []
    try:
        _check_free()
        _initialize()
        serve = _start([*_retinue(), "serve", "--port", str(CONTROL), "--node-port", str(NODE)])
        processes.append(serve)
        sample = ["-m", "examples.sample_api", "--mode", "direct", "--port", str(SAMPLE)]
        processes.append(_start([sys.executable, *sample, "--node-url", NODE_URL]))
        _wait_for(f"{CONTROL_URL}/readyz", serve)
        _wait_for(f"{NODE_URL}/readyz", serve)
        _sample_data()
        _tell()
        return serve.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in reversed(processes):
            process.wait(STOP_SECONDS)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _retinue() -> list[str]:
    return [sys.executable, "-m", "retinue.cli"]


def _start(argv: list[str]) -> subprocess.Popen[bytes]:
    """Start a process that ends with this one, and that Ctrl-C on the terminal reaches only through it."""
    supervised = {SUPERVISED: "1", SUPERVISOR_PID: str(os.getpid())}
    return subprocess.Popen(argv, env={**ENVIRONMENT, **supervised}, start_new_session=True)


def _check_free() -> None:
    """The sample API's port; ``retinue serve`` looks after its own two."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", SAMPLE))
        except OSError as error:
            raise SystemExit(
                f"error: port {SAMPLE}: {error.strerror}; choose another by SAMPLE_PORT"
            ) from None


def _cli(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command line quietly; what it complains of is shown."""
    return subprocess.run([*_retinue(), *arguments], env=ENVIRONMENT, stdout=subprocess.DEVNULL, check=True)


def _asked(*arguments: str) -> int:
    """Run the command line, say nothing, and return its exit code, which the caller judges."""
    return subprocess.run([*_retinue(), *arguments], env=ENVIRONMENT, capture_output=True).returncode


def _initialize() -> None:
    """Run ``retinue init``; where it has run before it changes nothing."""
    password = HOME / "admin-password"
    if (HOME / "admin-token").exists():
        return
    HOME.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not password.exists():
        _private(password, secrets.token_urlsafe(18) + "\n")
    who = ["--organization", "acme", "--admin-email", EMAIL]
    files = ["--admin-password-file", str(password), "--token-file", str(HOME / "admin-token")]
    _cli("init", "--no-input", *who, *files)


def _sample_data() -> None:
    """One service account with a key, made through the command line like any other."""
    token = HOME / "demo-token"
    if token.exists() and _asked("verify", "--file", str(token), "--need", "report:read") == Exit.NEGATIVE:
        token.unlink()  # revoked or expired meanwhile
    if not token.exists():
        if _asked("account", "get", "demo-etl") == Exit.NOT_FOUND:
            stated = ["--owner", EMAIL, "--purpose", "Loads the sales reports every night"]
            _cli("account", "create", "demo-etl", "--permission", "report:read", *stated, "-q")
        issue = ("key", "issue", "demo-etl", "--name", "main", "--out", str(token), "-q")
        if _asked(*issue) == Exit.CONFLICT:  # the file is lost, and what stood in it is shown to nobody again
            _cli("key", "revoke", "demo-etl/main", "--yes", "-q")
        if not token.exists():
            _cli(*issue)
    header = HOME / "curl-header"
    header.unlink(missing_ok=True)
    _private(header, f"Authorization: Bearer {token.read_text().strip()}\n")


def _private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def _wait_for(url: str, serve: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if serve.poll() is not None:
            raise SystemExit(serve.returncode)  # it has said why
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SystemExit(f"error: {url} does not answer after {START_SECONDS:.0f} s")


def _tell() -> None:
    program = Path(sys.executable).with_name("retinue")
    names = ("RETINUE_URL", "RETINUE_TOKEN_FILE")
    settings = " ".join(f"{name}={shlex.quote(ENVIRONMENT[name])}" for name in names)
    print(
        f"""
  console   {CONTROL_URL}   sign in as {EMAIL}, password in {HOME / "admin-password"}
  node      {NODE_URL}
  sample    {SAMPLE_URL}/reports

  try it    curl -H @{shlex.quote(str(HOME / "curl-header"))} {SAMPLE_URL}/reports
  then      {settings} {shlex.quote(str(program))} key revoke demo-etl/main --yes
            and run the curl again: 401
""",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
