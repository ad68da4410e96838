"""No request fails while a process of ``retinue serve`` ends and another one takes its place, or none does."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.serving import Serving, serving
from tests.serve.traffic import REFUSED, Caller, traffic
from tests.support.installation import Installation
from tests.support.processes import is_alive, wait_for


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation that is not served yet."""
    made = Installation(tmp_path_factory.mktemp("drain") / "home")
    made.init()
    return made


@pytest.fixture
def served(installation: Installation, tmp_path: Path) -> Iterator[Serving]:
    """Both planes, with two workers of the node."""
    flags = ["--port", str(installation.port), "--node-port", str(installation.node_port), "--workers", "2"]
    ready = (installation.url, installation.node_url)
    with serving(installation, tmp_path / "log", *flags, ready=ready) as started:
        yield started


def _callers(installation: Installation) -> list[Caller]:
    """Callers of both planes, with connections that are kept and with new ones."""
    return [
        Caller(port, path, token, keeps=keeps)
        for port, path, token in (
            (installation.port, "/v1/me", installation.token()),
            (installation.node_port, "/v1/identity-keys", None),
        )
        for keeps in (True, False)
        for _ in range(2)
    ]


def _replace(served: Serving, words: str) -> None:
    """End one child and wait for its successor."""
    old = served.child(words)
    os.kill(old, signal.SIGTERM)
    wait_for(f"{words} runs again", lambda: served.child(words) not in (0, old), seconds=30)


@pytest.mark.parametrize("words", ["worker --index 0", "worker --index 1", "node follower", "retinue.server"])
def test_no_request_fails_while_a_process_is_replaced(
    words: str, installation: Installation, served: Serving
) -> None:
    """
    Each child in turn is told to end and is started again: every request is answered with 200.
    """
    callers = _callers(installation)
    with traffic(*callers):
        _replace(served, words)
        served.wait_ready(installation.url, installation.node_url)

    assert [[200]] * len(callers) == [list(caller.became) for caller in callers]


def test_no_request_fails_at_the_end(installation: Installation, served: Serving) -> None:
    """
    SIGTERM under traffic: what was sent is answered, later callers find nobody, the exit code is 0.
    """
    callers, below = _callers(installation), served.below()
    with traffic(*callers):
        served.process.send_signal(signal.SIGTERM)
        code = served.process.wait(30)

    assert (0, []) == (code, [pid for pid in below if is_alive(pid)])
    assert {200, REFUSED} == {became for caller in callers for became in caller.became}
