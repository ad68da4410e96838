"""``retinue demo`` that does not get far: nothing is left of it. How it goes on is in test_package.py."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from tests.support.demo import MOST_SECONDS, started, three_ports
from tests.support.installation import PROGRAM
from tests.support.processes import wait_for


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_demo_is_ended_while_it_starts(tmp_path: Path, number: signal.Signals) -> None:
    """
    A signal half-way through the start takes everything away as well.
    """
    with started(PROGRAM, tmp_path, "--port", str(three_ports())) as demo:
        wait_for("its folder", lambda: any(demo.temporary.glob("*/home")), seconds=MOST_SECONDS, every=0.01)

        assert 0 == demo.end(number)
        assert [] == demo.left()


def test_demo_fails_to_start(tmp_path: Path) -> None:
    """
    A port that was asked for and is taken is one line and exit code 1; nothing is left.
    """
    port = three_ports()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port + 1))
        other.listen()
        with started(PROGRAM, tmp_path, "--port", str(port)) as demo:
            code = demo.process.wait(MOST_SECONDS)
            demo._reader.join(10)

            assert (1, f"error: port {port + 1}: Address already in use") == (
                code,
                demo.shown.splitlines()[0],
            )
            assert [] == demo.left()
