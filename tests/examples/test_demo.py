"""``retinue demo``: one command, a story, and nothing left of it."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.installation import PROGRAM
from tests.support.processes import descendants, free_ports, is_alive, wait_for

ROOT = Path(__file__).parents[2]
#: Generous: what it takes is printed.
MOST_SECONDS = 60.0

#: What is not as it should be, and which the sample is there to show.
FOUND = {
    *("ownerless", "expires_soon", "pat_in_production", "disabled_in_use", "idle_account", "shared_token"),
}


class Demo:
    """A demo on a terminal of its own."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        self.environment = {**os.environ, **environment, "TMPDIR": str(self.temporary)}
        self.shown = ""
        self.began = time.monotonic()
        mine, terminal = os.openpty()
        self.process = subprocess.Popen(
            [PROGRAM, "demo", *arguments],
            env=self.environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        self._reader = threading.Thread(target=self._read, args=(mine,), daemon=True)
        self._reader.start()
        self._seen: set[int] = set()

    def _read(self, terminal: int) -> None:
        while True:
            try:
                data = os.read(terminal, 65536)
            except OSError:  # the other end is closed
                break
            self.shown += data.decode().replace("\r\n", "\n")
        os.close(terminal)

    def told(self, pattern: str) -> str:
        """Wait until the demo shows what ``pattern`` finds, and return its group."""
        wait_for(f"the demo shows {pattern}", lambda: self._found(pattern) is not None, seconds=MOST_SECONDS)
        found = self._found(pattern)
        assert found is not None
        return found

    def _found(self, pattern: str) -> str | None:
        self._seen.update(descendants(self.process.pid))
        match = re.search(pattern, self.shown, re.MULTILINE)
        if match is None and self.process.poll() is not None:
            pytest.fail(f"the demo ended with {self.process.returncode}: {self.shown}")
        return match[1] if match else None

    def shell(self, line: str) -> str:
        """Run a printed line as somebody who pastes it does; return what it prints."""
        done = subprocess.run(
            ["bash", "-ec", line],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{line}: {done.stderr}{done.stdout}"
        return done.stdout

    def waits_for(self, line: str, words: set[str]) -> None:
        """Repeat a line until what it prints has all of ``words``."""
        wait_for(f"{line}: {words}", lambda: words <= set(self.shell(line).split()), seconds=30, every=0.5)

    def status(self, curl: str) -> str:
        """Return the status that a printed curl gets."""
        return self.shell(f"{curl} -sS -o /dev/null -w '%{{http_code}}'")

    def end(self, number: signal.Signals) -> int:
        """Send a signal, wait for the end, and return the exit code."""
        self._seen.update(descendants(self.process.pid))
        self.process.send_signal(number)
        return self.process.wait(MOST_SECONDS)

    def left(self) -> list[str]:
        """Return what is left of it: files, and processes."""
        alive = [f"process {pid}" for pid in sorted(self._seen) if is_alive(pid)]
        return [str(each) for each in self.temporary.iterdir()] + alive


@contextmanager
def started(folder: Path, *arguments: str, **environment: str) -> Iterator[Demo]:
    """Start a demo; it is ended in any case."""
    demo = Demo(folder, *arguments, **environment)
    try:
        yield demo
    finally:
        if demo.process.poll() is None:
            demo.end(signal.SIGTERM)


def three_ports() -> int:
    """Return a port that is free, as are the next two."""
    while True:
        first = free_ports(1)[0]
        try:
            for port in range(first, first + 3):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first


def test_demo_tells_its_story(tmp_path: Path) -> None:
    """
    One command gives a curl that works, with a header from a private file; the printed revoke makes it 401. What
    the sample shows is found by the product itself. The checklist ticks on the terminal. Nothing is left after
    Ctrl-C, and a setting of another installation has no effect.
    """
    port = str(three_ports())
    with started(tmp_path, "--port", port, RETINUE_DATABASE_URL="postgres://nobody@127.0.0.1:1/none") as demo:
        curl = demo.told(r"^✓ try it +(curl .+)$")
        header = Path(shlex.split(curl)[2].removeprefix("@"))

        assert "200" == demo.status(curl)
        seconds = time.monotonic() - demo.began
        print(f"retinue demo to the first successful curl: {seconds:.1f} s")
        assert seconds < MOST_SECONDS
        assert 0o600 == stat.S_IMODE(header.stat().st_mode)
        revoke = demo.told(r"^  next +(.+)$")
        environment = revoke.partition(";")[0]
        cli = f"{environment}; {PROGRAM}"
        demo.waits_for(f"{cli} finding list", FOUND)
        demo.waits_for(f"{cli} account list", {"active", "attention", "disabled", "idle", "ownerless"})
        demo.waits_for(f"{cli} log list", {"allowed", "credential_revoked", "permission_missing"})

        demo.shell(revoke)
        assert "401" == demo.status(curl)
        assert demo.told(r"^✓ step 3  (.+)$").startswith("call the API")
        assert "credential_revoked" in demo.told(r"^✓ step 7  (.+)$")
        assert 0 == demo.end(signal.SIGINT)
        assert [] == demo.left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_demo_is_ended_while_it_starts(tmp_path: Path, number: signal.Signals) -> None:
    """
    A signal half-way through the start takes everything away as well.
    """
    with started(tmp_path, "--port", str(three_ports())) as demo:
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
        with started(tmp_path, "--port", str(port)) as demo:
            code = demo.process.wait(MOST_SECONDS)
            demo._reader.join(10)

            assert (1, f"error: port {port + 1}: Address already in use") == (
                code,
                demo.shown.splitlines()[0],
            )
            assert [] == demo.left()
