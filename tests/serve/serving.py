"""``retinue serve`` as a process of its own, with any flags, and what it says."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.installation import PROGRAM, Installation
from tests.support.processes import (
    children,
    descendants,
    end_with_parent,
    is_alive,
    status_of,
    stop,
    wait_for,
)


class Serving:
    """A running ``retinue serve``."""

    def __init__(self, installation: Installation, log: Path, *flags: str, **environment: str) -> None:
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [PROGRAM, "serve", *flags],
                env={**installation.environment, **environment},
                cwd=installation.home.parent,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                preexec_fn=end_with_parent(),
            )

    @property
    def said(self) -> list[str]:
        """The lines that it and its children have written."""
        return self.log.read_text().splitlines()

    def wait_ready(self, *urls: str) -> None:
        """Wait until each of ``urls`` says that it is ready."""
        for url in urls:
            wait_for(f"{url} is ready", lambda url=url: self._is_ready(url), seconds=60)  # type: ignore[misc]

    def child(self, words: str) -> int:
        """Return the process id of the direct child whose command line holds ``words``; 0 if there is none."""
        found = [pid for pid in children(self.process.pid) if words in _command(pid)]
        return found[0] if found else 0

    def below(self) -> list[int]:
        """Return the ids of all its processes."""
        return descendants(self.process.pid)

    def _is_ready(self, url: str) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"retinue serve ended with {self.process.returncode}: {self.said}")
        return status_of(f"{url}/readyz") == 200


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


@contextmanager
def serving(
    installation: Installation, log: Path, *flags: str, ready: tuple[str, ...], **environment: str
) -> Iterator[Serving]:
    """Serve until the end of the block; ``ready`` are the addresses to wait for."""
    started = Serving(installation, log, *flags, **environment)
    try:
        started.wait_ready(*ready)
        yield started
    finally:
        below = started.below()
        stop(started.process)
        assert [] == [pid for pid in below if is_alive(pid)], started.said
