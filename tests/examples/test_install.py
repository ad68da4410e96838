"""The guide's "By hand", word for word."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.installation import PROGRAM
from tests.support.processes import end_with_parent, free_ports, status_of, stop, wait_for

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "install.md"
SERVE = "retinue serve"


@dataclass
class Folder:
    """The empty folder of the reader, and the shells that are opened in it."""

    path: Path
    environment: dict[str, str]

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run lines as a reader does, but stop at the first that fails."""
        return subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=self.path,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )


def blocks() -> list[str]:
    """Return the code blocks of the section."""
    section = GUIDE.read_text().partition("## By hand\n")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty folder; the ports are other ones than in the text, so that the test runs beside a real one."""
    port, node_port = free_ports(2)
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    kept["PATH"] = f"{Path(PROGRAM).parent}:{kept['PATH']}"
    ports = {"RETINUE_PORT": str(port), "RETINUE_NODE_PORT": str(node_port)}
    urls = {
        "RETINUE_URL": f"http://127.0.0.1:{port}",
        "RETINUE_NODE_URL": f"http://127.0.0.1:{node_port}",
    }
    return Folder(tmp_path, {**kept, **ports, **urls, "HOME": str(tmp_path)})


@pytest.fixture
def served(folder: Folder) -> Iterator[Folder]:
    """The first block has run, and its last line runs in its terminal."""
    prepare, found, rest = blocks()[0].rpartition(SERVE)
    assert (SERVE, "\n") == (found, rest)
    done = folder.shell(prepare)
    assert done.returncode == 0, done.stderr
    home = next(line for line in prepare.splitlines() if line.startswith("export "))
    with (folder.path / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", f"{home}; exec {SERVE}"],
            cwd=folder.path,
            env=folder.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=end_with_parent(),
        )
    try:
        for name in ("RETINUE_URL", "RETINUE_NODE_URL"):
            url = f"{folder.environment[name]}/readyz"
            wait_for(f"{url} is ready", lambda url=url: status_of(url) == 200, seconds=60)  # type: ignore[misc]
        yield folder
    finally:
        stop(process)


def test_by_hand(served: Folder) -> None:
    """
    Every line of the guide does what it says: the key is allowed, then revoked, and the audit log tells it.
    """
    done = served.shell(blocks()[1])
    again = served.shell("retinue verify --file etl-token --need report:read")

    assert 0 == done.returncode, done.stderr
    assert "decision\tallowed" in done.stdout
    assert "key.revoked" in done.stdout
    assert (7, True) == (again.returncode, "credential_revoked" in again.stdout)
    assert {0o600} == {(served.path / name).stat().st_mode & 0o777 for name in ("etl-token", "admin-token")}
