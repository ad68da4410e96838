"""Sample hosts as processes, and requests to them over a socket."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.guard.hosts.__main__ import FRAMEWORKS

__all__ = ["FRAMEWORKS", "Answer", "Host", "serving"]

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Answer:
    """Status, header fields by lower-case name, and body."""

    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def denial(self) -> tuple[int, dict[str, str], bytes]:
        """All of an answer that a guard decides about, but for the id by which it is found in the log."""
        told = ("content-type", "cache-control", "www-authenticate", "retinue-error", "retry-after")
        body = re.sub(rb'"req_[0-9A-Za-z]{16}"', b'"an id"', self.body)
        return self.status, {name: self.fields[name] for name in told if name in self.fields}, body


class Host:
    """A sample host that runs."""

    def __init__(self, process: subprocess.Popen[str], framework: str) -> None:
        self.framework = framework
        self._process = process
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        self.port: int = told["port"]
        self.pid: int = told["pid"]
        self.tokens: dict[str, str] = told.get("tokens", {})

    def ask(
        self, method: str, path: str, who: str | None = None, body: str | None = None, **fields: str
    ) -> Answer:
        """Send a request with the token called ``who``, or the field itself."""
        sent = {name.replace("_", "-"): value for name, value in fields.items()}
        if who is not None:
            sent["Authorization"] = self.tokens.get(who, who)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, {"User-Agent": "sample/1", **sent})
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, told, answer.read())
        finally:
            connection.close()

    def obey(self, command: str) -> Any:
        """Give a command: ``log`` takes what would stand in the request log; ``stale`` ends the lease."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def serving(framework: str, home: Path | None = None) -> Iterator[Host]:
    """Run a sample host."""
    command = [sys.executable, "-m", "tests.guard.hosts", framework, *([str(home)] if home else [])]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield Host(process, framework)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(20)
        assert process.stdout is not None
        process.stdout.close()
