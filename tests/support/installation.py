"""A whole Retinue of the tests' own: the real ``retinue init`` and ``retinue serve`` on free ports."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sysconfig
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.processes import (
    descendants,
    end_with_parent,
    free_ports,
    is_alive,
    status_of,
    stop,
    wait_for,
)

#: How long a call may take. It is no guarantee of the product, but the end of a test that hangs.
PATIENCE_SECONDS = 120.0
ADMIN_EMAIL = "admin@acme.example"
ORGANIZATION = "acme"
PROGRAM = str(Path(sysconfig.get_path("scripts")) / "retinue")
# Commands run in the tree that is tested, so that an editable install of another one is not what is tested.
_ROOT = Path(__file__).resolve().parents[2]
# Only what a child needs: no setting of the machine that runs the tests leaks into a test.
_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "TZ", "SSL_CERT_FILE")

#: A call that took less was answered because the nodes had its change.
_GIVEN_SECONDS = 0.8


@dataclass
class Answer:
    """What an HTTP call gave: status, headers by lower-case name, and the body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body read as JSON."""
        return json.loads(self.body)


def http(
    method: str,
    url: str,
    *,
    token: str | None = None,
    body: object = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """Make one HTTP call and return its answer, whatever the status. ``body`` is sent as JSON."""
    sent = dict(headers or {})
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        sent.setdefault("Content-Type", "application/json")
    request = urllib.request.Request(url, data=data, headers=sent, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())


def reached(node_url: str, answer: Answer, seconds: float) -> Answer:
    """Return an answer that took so many seconds, once the node has what it gave.

    What is taken away holds when the answer comes, or its receipt says that it is pending. What is given is waited
    for a second at most, and on a machine with much to do the node may need longer: that is no fault of either.
    """
    revision = answer.headers.get("retinue-revision")
    if revision is not None and seconds > _GIVEN_SECONDS and b'"receipt"' not in answer.body:
        wait_for("the node has the change", lambda: _applied(node_url) >= int(revision), every=0.05)
    return answer


def _applied(node_url: str) -> int:
    told = re.search(
        rb"^retinue_replica_revision (\d+)", http("GET", f"{node_url}/metrics").body, re.MULTILINE
    )
    assert told is not None
    return int(told[1])


class Installation:
    """One installation in a folder of its own, with the processes that serve it."""

    def __init__(self, home: Path, environment: dict[str, str] | None = None) -> None:
        self.home = home
        self.port, self.node_port = free_ports(2)
        self.token_file = home.parent / f"{home.name}-admin-token"
        self.password_file = home.parent / f"{home.name}-admin-password"
        self._extra = environment or {}
        self._awaited = [self.url, self.node_url]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The control plane's base URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def node_url(self) -> str:
        """The node's base URL."""
        return f"http://127.0.0.1:{self.node_port}"

    @property
    def log(self) -> Path:
        """The file with what ``retinue serve`` and its children said."""
        return self.home.parent / f"{self.home.name}-serve.log"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every command of this installation."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return {
            **kept,
            "HOME": str(self.home.parent),
            "RETINUE_HOME": str(self.home),
            "RETINUE_URL": self.url,
            "RETINUE_NODE_URL": self.node_url,
            "RETINUE_TOKEN_FILE": str(self.token_file),
            **self._extra,
        }

    def token(self) -> str:
        """Return the administrator's token."""
        return self.token_file.read_text().strip()

    def init(self) -> None:
        """Make the installation with ``retinue init``; the administrator's password is random."""
        if not self.password_file.exists():
            self.password_file.touch(mode=0o600)
            self.password_file.write_text(secrets.token_urlsafe(24) + "\n")
        self.cli(
            *("init", "--no-input", "--organization", ORGANIZATION, "--admin-email", ADMIN_EMAIL),
            *("--admin-password-file", str(self.password_file), "--token-file", str(self.token_file)),
            seconds=300,
        )

    def run(self, *arguments: str, seconds: float = PATIENCE_SECONDS) -> subprocess.CompletedProcess[str]:
        """Run the command line and return what it gave, whatever its exit code."""
        return subprocess.run(
            [PROGRAM, *arguments],
            env=self.environment,
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def cli(self, *arguments: str, seconds: float = PATIENCE_SECONDS) -> str:
        """Run the command line and return its standard output. Raises ``AssertionError`` if it failed."""
        done = self.run(*arguments, seconds=seconds)
        if done.returncode != 0:
            raise AssertionError(
                f"retinue {arguments[0]} exited {done.returncode}: {done.stderr}{done.stdout}"
            )
        return done.stdout

    def change(self, method: str, path: str, body: object = None) -> Answer:
        """Call the API as the administrator; return when the node has what that has changed, too."""
        answer = http(method, self.url + path, token=self.token(), body=body)
        self.settle(int(answer.headers.get("retinue-revision", "0")))
        return answer

    def settle(self, revision: int | None = None, node_url: str | None = None) -> None:
        """Wait until the node has applied a revision, or all that is committed.

        A change that takes nothing away waits for the nodes itself, but for a second at most: on a busy machine
        a token is then told before the node knows it.
        """
        wanted = self._head() if revision is None else revision
        url = f"{node_url or self.node_url}/readyz"

        def has() -> bool:
            answer = http("GET", url)
            return answer.status == 200 and bool(answer.json()["revision"] >= wanted)

        wait_for(f"the node is at {wanted}", has)

    def _head(self) -> int:
        text = http("GET", f"{self.url}/metrics", token=self.token()).body.decode()
        found = re.search(r"^retinue_head_revision (\d+)", text, re.MULTILINE)
        assert found is not None, text
        return int(found[1])

    def start(self, *arguments: str) -> None:
        """Start ``retinue serve`` and wait until it is ready. ``arguments`` are further flags."""
        command = [PROGRAM, "serve", "--port", str(self.port), "--node-port", str(self.node_port), *arguments]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env=self.environment,
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent(),
            )
        urls = {"control": [self.url], "node": [self.node_url]}
        only = arguments[arguments.index("--only") + 1] if "--only" in arguments else None
        self._awaited = urls[only] if only else [self.url, self.node_url]
        try:
            wait_for("retinue serve is ready", self.is_ready, seconds=180, every=0.05)
        except BaseException:
            print(self.log.read_text(errors="replace")[-8000:])
            self.stop()
            raise

    def stop(self) -> int | None:
        """Stop ``retinue serve`` by its id and return its exit code; ``None`` if it did not run."""
        if self.process is None:
            return None
        code = stop(self.process)
        self.process = None
        return code

    def kill(self, *, alone: bool = False) -> None:
        """Kill ``retinue serve`` and everything below it (SIGKILL), and wait until all of it is gone.

        ``alone`` kills nothing else: its children are to end by themselves.
        """
        if self.process is None:
            return
        if not alone:  # so that it starts nothing in between
            os.kill(self.process.pid, signal.SIGSTOP)
        pids = [self.process.pid, *descendants(self.process.pid)]
        for pid in pids[:1] if alone else pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process = None
        wait_for("everything is gone", lambda: not any(is_alive(pid) for pid in pids))

    def is_ready(self) -> bool:
        """Tell whether everything that was started answers that it is ready."""
        if self.process is not None and not is_alive(self.process.pid):
            raise RuntimeError(f"retinue serve ended with {self.process.poll()}")
        return all(status_of(f"{url}/readyz") == 200 for url in self._awaited)


@contextmanager
def start_retinue(home: Path, *arguments: str, **environment: str) -> Iterator[Installation]:
    """Make an installation in ``home``, serve it, and stop it at the end.

    ``arguments`` are flags of ``retinue serve``; ``environment`` adds variables to every command.
    """
    installation = Installation(home, environment)
    installation.init()
    try:
        installation.start(*arguments)
        yield installation
    finally:
        installation.stop()
