"""``make run`` in a fresh clone: what it prints works, it ends whole, and it starts again with its data."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import descendants, end_with_parent, free_ports, is_alive, wait_for
from tests.support.requirements import requires

ROOT = Path(__file__).parents[2]
#: Generous: what it takes is printed.
MOST_SECONDS = 60.0

pytestmark = requires("make", "curl")


class Checkout:
    """A clone of this repository's newest commit, with an environment that borrows the packages of this one.

    Only that keeps ``make`` from installing everything anew: its stamps say that all is there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = free_ports(3)
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / ".venv")], check=True)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        packages = folder / ".venv" / "lib" / version / "site-packages"
        borrowed = [path for path in sys.path if path.endswith("site-packages")]
        (packages / "borrowed.pth").write_text("\n".join([str(folder / "src"), *borrowed]) + "\n")
        program = (Path(sysconfig.get_path("scripts")) / "retinue").read_text().partition("\n")[2]
        (folder / ".venv/bin/retinue").write_text(f"#!{folder}/.venv/bin/python\n{program}")
        (folder / ".venv/bin/retinue").chmod(0o755)
        (folder / ".venv/.run-stamp").touch()

    @property
    def environment(self) -> dict[str, str]:
        """What the shell has exported: nothing of Retinue but the ports."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        names = ("RETINUE_PORT", "RETINUE_NODE_PORT", "SAMPLE_PORT")
        return {**kept, "HOME": str(self.folder), **dict(zip(names, map(str, self.ports), strict=True))}

    def call(self, line: str) -> str:
        """Run a line in a shell and return its output. Raises if it fails."""
        done = subprocess.run(
            ["bash", "-c", line], env=self.environment, cwd="/", capture_output=True, text=True, check=True
        )
        return done.stdout

    @contextmanager
    def running(self) -> Iterator[dict[str, str]]:
        """Run ``make run`` and yield the lines that it printed, by their first word; then press Ctrl-C."""
        log = self.folder / "make.log"
        with log.open("wb") as out:
            make = subprocess.Popen(
                ["make", "run"],
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=end_with_parent(),
            )
        try:
            wait_for("make run has told what to do", lambda: self._told(log, make), seconds=60)
            yield self._told(log, make)
            below = descendants(make.pid)
            os.killpg(make.pid, signal.SIGINT)
            # make itself ends by the signal, as it does whenever Ctrl-C interrupts a recipe.
            assert -signal.SIGINT == make.wait(30), log.read_text()
            assert [] == [pid for pid in below if is_alive(pid)]
        finally:
            if make.poll() is None:
                os.killpg(make.pid, signal.SIGTERM)
                make.wait(30)

    def _told(self, log: Path, make: subprocess.Popen[bytes]) -> dict[str, str]:
        text = log.read_text()
        if make.poll() is not None:
            pytest.fail(f"make run ended with {make.returncode}: {text}")
        lines = re.findall(r"^  (console|node|sample|try it|then) +(.+)$", text, re.MULTILINE)
        return dict(lines) if "and run the curl again: 401" in text else {}


def _status(checkout: Checkout, curl: str) -> str:
    """Return the status that a printed curl gets."""
    return checkout.call(f"{curl} -sS -o /dev/null -w '%{{http_code}}'")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A fresh clone."""
    return Checkout(tmp_path_factory.mktemp("clone") / "retinue")


def test_make_run(checkout: Checkout) -> None:
    """
    The printed curl gives 200 with a header from a private file, also after a second start, which has the
    data of the first; 401 after the printed revoke; and another start prints one that works again, also when the
    file with the token is lost.
    """
    began = time.monotonic()
    with checkout.running() as told:
        header = shlex.split(told["try it"])[2].removeprefix("@")
        token = Path(header).read_text()

        assert 0o600 == stat.S_IMODE(Path(header).stat().st_mode)
        assert "200" == _status(checkout, told["try it"])
        seconds = time.monotonic() - began
        print(f"make run to the first successful curl: {seconds:.1f} s")
        assert seconds < MOST_SECONDS
        assert "items" in checkout.call(told["try it"])
    with checkout.running() as told:
        assert token == Path(header).read_text()
        assert "200" == _status(checkout, told["try it"])
        checkout.call(told["then"])
        assert "401" == _status(checkout, told["try it"])
    with checkout.running() as told:
        assert token != Path(header).read_text()
        assert "200" == _status(checkout, told["try it"])
    Path(header).with_name("demo-token").unlink()
    with checkout.running() as told:
        assert "200" == _status(checkout, told["try it"])


@pytest.mark.parametrize("taken", [0, 1, 2], ids=["control", "node", "sample"])
def test_port_in_use(taken: int, checkout: Checkout) -> None:
    """
    A port in use is one line and a failure of make, at once; nothing is left running.
    """
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", checkout.ports[taken]))
        other.listen()
        done = subprocess.run(
            ["make", "run"],
            env=checkout.environment,
            cwd=checkout.folder,
            capture_output=True,
            text=True,
            timeout=180,
        )

    assert 2 == done.returncode
    assert 1 == done.stderr.count("Address already in use")
    assert str(checkout.ports[taken]) in done.stderr
    assert "Traceback" not in done.stderr
