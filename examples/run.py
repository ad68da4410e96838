"""``make run``: Retinue with sample data on SQLite, and a sample API that it protects.

Makes what is not there yet in ``$RETINUE_HOME`` (default ``./retinue-data``), starts everything, and
prints a ``curl`` that works. Ctrl-C ends all of it.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType

HOME = Path(os.environ.get("RETINUE_HOME") or "retinue-data").absolute()
CONTROL, NODE, SAMPLE = 8470, 8471, 8472
START_SECONDS = 30.0


def main() -> int:
    """Set up, start, print, wait. Returns the exit code of ``retinue serve``."""
    environment = {**os.environ, "RETINUE_HOME": str(HOME), "RETINUE_TOKEN_FILE": str(HOME / "admin-token")}
    _initialize(environment)
    serve = subprocess.Popen(
        [*_retinue(), "serve", "--port", str(CONTROL), "--node-port", str(NODE)], env=environment
    )
    sample = subprocess.Popen(
        [sys.executable, "-m", "examples.sample_api", "--mode", "direct", "--port", str(SAMPLE)]
    )
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _wait_for(f"http://127.0.0.1:{CONTROL}/readyz", serve)
        _wait_for(f"http://127.0.0.1:{NODE}/readyz", serve)
        _sample_data(environment)
        _tell()
        return serve.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        for process in (sample, serve):
            process.terminate()
        for process in (sample, serve):
            process.wait(30)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _retinue() -> list[str]:
    return [sys.executable, "-m", "retinue.cli"]


def _initialize(environment: dict[str, str]) -> None:
    password = HOME / "admin-password"
    if not (HOME / "admin-token").exists():
        HOME.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not password.exists():
            _private(password, secrets.token_urlsafe(18) + "\n")
        command = ["init", "--no-input", "--organization", "acme", "--admin-email", "admin@acme.example"]
        files = ["--admin-password-file", str(password), "--token-file", str(HOME / "admin-token")]
        subprocess.run([*_retinue(), *command, *files], env=environment, check=True)


def _sample_data(environment: dict[str, str]) -> None:
    """One service account with a key, made through the CLI like any other."""
    token = HOME / "demo-token"
    if not token.exists():
        made = subprocess.run(
            [*_retinue(), "account", "get", "demo-etl", "-o", "json"], env=environment, capture_output=True
        )
        if made.returncode != 0:
            create = ["account", "create", "demo-etl", "--permission", "report:read"]
            stated = ["--owner", "admin@acme.example", "--purpose", "Loads the sales reports every night"]
            subprocess.run(
                [*_retinue(), *create, *stated, "-o", "json"],
                env=environment,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        subprocess.run(
            [*_retinue(), "key", "issue", "demo-etl", "--name", "main", "--out", str(token)],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
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
            raise SystemExit(f"retinue serve ended with {serve.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SystemExit(f"{url} does not answer after {START_SECONDS:.0f} s")


def _tell() -> None:
    print(
        f"""
  console   http://127.0.0.1:{CONTROL}   sign in as admin@acme.example, password in {HOME / "admin-password"}
  node      http://127.0.0.1:{NODE}
  sample    http://127.0.0.1:{SAMPLE}/reports

  try it    curl -H @{HOME / "curl-header"} http://127.0.0.1:{SAMPLE}/reports
  then      RETINUE_TOKEN_FILE={HOME / "admin-token"} .venv/bin/retinue key revoke demo-etl/main --yes
            and run the curl again: 401
""",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
