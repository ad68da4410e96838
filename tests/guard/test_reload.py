"""A host whose server replaces its workers while requests come: each is decided, and each is logged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guard.installed import issue
from tests.support.installation import Answer, Installation, http
from tests.support.processes import free_ports, wait_for

ROOT = Path(__file__).parents[2]


@pytest.fixture
def server(installation: Installation) -> Iterator[tuple[str, int]]:
    """A server with two workers over the replica of the installation: its URL and process."""
    [port] = free_ports(1)
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port), "--workers", "2",
               "--blocking-threads", "2", "--log-level", "error", "tests.guard.hosts.reloaded:application"]  # fmt: skip
    environment = {**os.environ, "RETINUE_HOME": str(installation.home)}
    for name in ("RETINUE_REPLICA", "RETINUE_NODE_URL"):
        environment.pop(name, None)
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    url = f"http://127.0.0.1:{port}/reports"

    def answers() -> bool:
        try:
            return http("GET", url).status == 401
        except OSError:
            return False

    try:
        wait_for("the host answers", answers, seconds=30)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait(30)


class Asking(threading.Thread):
    """Asks for as long as it is let: with a token that may, and with one that may not."""

    def __init__(self, url: str, good: str, weak: str) -> None:
        super().__init__()
        self.url, self.good, self.weak = url, good, weak
        self.allowed: list[Answer] = []
        self.wrong: list[Answer] = []
        self.ending = threading.Event()

    def run(self) -> None:
        while not self.ending.wait(0.01):
            try:
                answer, refused = (http("GET", self.url, token=each) for each in (self.good, self.weak))
            except OSError:  # the socket of a worker that ended; a load balancer would try again
                continue
            (self.allowed if answer.status == 200 else self.wrong).append(answer)
            if refused.status != 403:
                self.wrong.append(refused)

    def workers(self) -> set[str]:
        """The processes that have answered."""
        return {each.headers["worker"] for each in list(self.allowed)}

    def goes_on(self) -> None:
        """Wait until more has been answered."""
        seen = len(self.allowed)
        wait_for("requests are answered", lambda: len(self.allowed) > seen + 20, seconds=20)


def test_workers_are_replaced_under_load(server: tuple[str, int], installation: Installation) -> None:
    """
    Before, meanwhile and after: a good token is let in and one without the permission is not, by every worker, and
    the request log has each call that was answered.
    """
    url, pid = server
    _, key, token = issue(installation, "report:read")
    _, _, weak = issue(installation)
    wait_for("the key is known here", lambda: http("GET", url, token=token).status == 200, seconds=10)
    asking = Asking(url, token, weak)
    asking.start()
    try:
        asking.goes_on()
        before = asking.workers()
        os.kill(pid, signal.SIGHUP)
        wait_for("another worker answers", lambda: len(asking.workers() - before) > 0, seconds=30)
        asking.goes_on()
    finally:
        asking.ending.set()
        asking.join()

    assert [] == asking.wrong
    address = f"{installation.url}/v1/keys/{key}"

    def counted() -> bool:
        # The one that was let in before is one more; so may be one whose answer was lost with its worker.
        uses = http("GET", address, token=installation.token()).json()["use_count"]
        return bool(uses > len(asking.allowed))

    wait_for("each call is counted", counted, seconds=30)
