"""Without its secrets nothing is served: one line says what is missing and what to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from retinue import pepper
from retinue.supervisor import REFUSES
from tests.support.installation import Installation
from tests.support.processes import status_of

Damage = Callable[[Path], object]


def _exchange(path: Path) -> None:
    path.unlink()
    pepper.create(path)


#: What is wrong with which file, and the words that say what to do.
DAMAGES: dict[str, tuple[str, Damage, str]] = {
    "no pepper": ("pepper", Path.unlink, "restore it from the backup"),
    "another pepper": ("pepper", _exchange, "is not its pepper: restore it from the backup"),
    "an open pepper": ("pepper", lambda path: path.chmod(0o644), "chmod 600"),
    "half a pepper": ("pepper", lambda path: path.write_text("ab\n"), "64 hexadecimal characters"),
    "no secret key": ("secret-key", Path.unlink, "run `retinue init`"),
    "no key of the log": ("ledger-key", Path.unlink, "RETINUE_LEDGER_KEY_FILE"),
    "an open key of the log": ("ledger-key", lambda path: path.chmod(0o640), "chmod 600"),
    "an open secret key": ("secret-key", lambda path: path.chmod(0o640), "chmod 600"),
}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation that was made and is not served."""
    made = Installation(tmp_path_factory.mktemp("secrets") / "home")
    made.init()
    return made


@pytest.fixture(params=DAMAGES)
def damaged(request: pytest.FixtureRequest, installation: Installation) -> Iterator[tuple[Path, str]]:
    """The file that is damaged, and what is to be said; whole again afterwards."""
    name, damage, todo = DAMAGES[request.param]
    path = installation.home / name
    text = path.read_text()
    damage(path)
    yield path, todo
    path.unlink(missing_ok=True)
    pepper.write_private(path, text)


def test_control_plane_refuses_to_start(installation: Installation, damaged: tuple[Path, str]) -> None:
    """
    The control plane's process ends with the code for "do not try again" and one line.
    """
    path, todo = damaged
    done = subprocess.run(
        [sys.executable, "-m", "retinue.server", "serve", "--port", str(installation.port)],
        env=installation.environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert (REFUSES, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
    assert str(path) in done.stderr
    assert todo in done.stderr


@pytest.mark.parametrize("only", [(), ("--only", "control")])
def test_serve_ends_with_1(
    installation: Installation, damaged: tuple[Path, str], only: tuple[str, ...]
) -> None:
    """
    `retinue serve` exits 1, says it once, and nothing listens.
    """
    path, todo = damaged
    ports = ("--port", str(installation.port), "--node-port", str(installation.node_port))
    done = installation.run("serve", *ports, *only)
    named = [line for line in done.stderr.splitlines() if str(path) in line]

    assert (1, 1) == (done.returncode, len(named)), done.stderr
    assert todo in done.stderr
    assert "Traceback" not in done.stderr
    assert None is status_of(f"{installation.url}/healthz")


def test_lost_secret_key_is_made_again(installation: Installation) -> None:
    """
    What the line about the secret key says works.
    """
    (installation.home / "secret-key").unlink()
    installation.init()
    installation.start()

    assert 0 == installation.stop()


def test_node_without_its_pepper_is_not_started_for_ever(installation: Installation) -> None:
    """
    A node whose pepper goes in the moment of its start ends `retinue serve`, as the control plane would.
    """
    done = subprocess.run(
        [sys.executable, "-m", "retinue.node", "follower"],
        env={**installation.environment, "RETINUE_PEPPER_FILE": "/nowhere/pepper"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert (REFUSES, 1) == (done.returncode, len(done.stderr.splitlines()))
