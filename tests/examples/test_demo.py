"""``retinue demo`` that does not get far: nothing is left of it. How it goes on is in test_package.py."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from pathlib import Path

import pytest

from retinue.demo import files
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


def test_killed_demo_leaves_nothing_for_long(tmp_path: Path) -> None:
    """
    A demo that is killed outright ends with all its processes; the next one takes its folder away, and no other one's.
    """
    with started(PROGRAM, tmp_path, "--port", str(three_ports())) as killed:
        wait_for("its folder", lambda: any(killed.temporary.glob("*/home")), seconds=MOST_SECONDS, every=0.01)
        (folder,) = killed.temporary.iterdir()
        killed.end(signal.SIGKILL)
    other = killed.temporary / "retinue-demonstration"
    other.mkdir()
    with started(PROGRAM, tmp_path, "--port", str(three_ports())) as demo:
        wait_for(
            "the next one's folder",
            lambda: any(each.parent != folder for each in demo.temporary.glob("*/home")),
            seconds=MOST_SECONDS,
            every=0.01,
        )
        assert not folder.exists()
        assert 0 == demo.end(signal.SIGTERM)

    assert [str(other)] == demo.left()
    wait_for("the processes of the killed one are gone", lambda: [str(other)] == killed.left(), seconds=60)


def test_running_demo_is_not_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Only a folder whose demo is gone is taken away: not one that is locked, nor one that has just been made.
    """
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    young, old = tmp_path / "retinue-demo-young", tmp_path / "retinue-demo-old"
    for each in (young, old):
        each.mkdir()
    os.utime(old, (1, 1))
    with files.temporary() as running:
        files.sweep()

        assert {young, running} == set(tmp_path.iterdir())
    assert [young] == list(tmp_path.iterdir())
