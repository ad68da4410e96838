"""A real follower process beside a scripted control plane, and its replica as a reader sees it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import lmdb

from retinue import pepper
from retinue.replica.records import Kind, Meta
from retinue.replica.store import Store
from tests.node.control import Control, Request
from tests.support.processes import end_with_parent, stop, wait_for

TOKEN = "a token of the node"
#: A process opens a replica once at a time.
_reading = threading.Lock()


@dataclass
class Home:
    """The folders of a node."""

    path: Path

    @property
    def replica(self) -> Path:
        """The folder of the replica."""
        return self.path / "replica"

    def meta(self) -> Meta:
        """Return how far the replica is."""
        return self.read()[0]

    def read(self) -> tuple[Meta, dict[tuple[Kind, str], bytes]]:
        """Return the replica: one snapshot of all of it, as a worker would see it."""
        with _reading:
            try:
                store = Store(self.replica)
            except lmdb.Error:  # not there yet
                return Meta(), {}
            try:
                with store.snapshot() as snapshot:
                    rows = {(kind, key): value for kind in Kind for key, value in snapshot.items(kind)}
                    return snapshot.meta(), rows
            finally:
                store.close()

    def equals(self, control: Control) -> bool:
        """Tell whether the replica is complete and holds what the control plane holds, no more and no less."""
        meta, rows = self.read()
        truth = control.truth
        return (meta.complete, meta.epoch, meta.revision, rows) == (True, truth.epoch, truth.head, truth.rows)


@dataclass
class Following:
    """A running follower."""

    home: Home
    process: subprocess.Popen[bytes]
    log: Path

    def text(self) -> str:
        """Return what it has said."""
        return self.log.read_text()

    def kill(self) -> None:
        """End it as a power cut would end a process."""
        self.process.kill()
        self.process.wait()


def make_home(path: Path) -> Home:
    """Make the files of a node, without a replica."""
    path.mkdir(parents=True)
    pepper.create(path / "pepper")
    pepper.write_private(path / "node-token", TOKEN + "\n")
    return Home(path)


@contextmanager
def following(home: Home, control: Control | str, **settings: str) -> Iterator[Following]:
    """Run a follower until the block ends; it must end well then, if it has not ended before."""
    log = home.path / f"follower-{len(list(home.path.glob('follower-*')))}.log"
    url = control if isinstance(control, str) else control.url
    environ = {"PATH": os.environ["PATH"], "RETINUE_HOME": str(home.path), "RETINUE_CONTROL_URL": url}
    environ |= {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "retinue.node", "follower"],
            env={**environ, **settings},
            stderr=output,
            preexec_fn=end_with_parent(),
        )
    running = Following(home, process, log)
    try:
        yield running
        code = stop(process) if process.poll() is None else 0
        assert (0, False) == (code, "Traceback" in running.text()), running.text()
    finally:
        if process.poll() is None:
            stop(process)


def settle(home: Home, control: Control, seconds: float = 60.0) -> None:
    """Wait until the replica equals the truth."""
    wait_for("the replica equals the truth", lambda: home.equals(control), seconds=seconds)


class Witness:
    """Looks at each poll whether what it acknowledges is in the replica, whole; keeps what is not."""

    def __init__(self, home: Home, control: Control) -> None:
        self._home = home
        self._control = control
        self.false: list[str] = []
        self.seen = 0
        control.on_poll = self.look

    def look(self, request: Request) -> None:
        """Compare an acknowledgement with the replica, before it is answered."""
        applied = request.body["applied"]
        with self._control.lock:
            meta, rows = self._home.read()
            self.seen += 1
            if (meta.epoch, meta.revision) != (applied["epoch"], applied["revision"]):
                self.false.append(f"says {applied}, is at {meta}")
            if (Kind.PERMISSION, "foreign") in rows:
                self.false.append(f"has applied what is none of its, at {applied}")
            truth = self._control.truth
            if (
                meta.complete
                and (meta.epoch, meta.revision) == (truth.epoch, truth.head)
                and rows != truth.rows
            ):
                self.false.append(f"differs at {applied}")
