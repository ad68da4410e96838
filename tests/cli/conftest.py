"""Runs commands in this process against a control plane of the tests' own."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from retinue.cli.__main__ import main
from tests.cli.control_plane import FakeServer, serving

OWN_TOKEN = "rtnpat_AdminAdminAd_" + "o" * 49


@dataclass
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


class Terminal(io.StringIO):
    """Text that says of itself that it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.fixture(scope="session")
def shared_server() -> Iterator[FakeServer]:
    """One server for all tests; each gets it without calls and special replies."""
    with serving() as fake:
        yield fake


@pytest.fixture
def server(shared_server: FakeServer) -> FakeServer:
    """A control plane and node with fixed answers."""
    shared_server.calls.clear()
    shared_server.replies.clear()
    shared_server.series.clear()
    return shared_server


@pytest.fixture
def run(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run a command with the environment of a script: no terminal, a token in a file."""
    for name in [name for name in os.environ if name.startswith("RETINUE_")] + [
        "CI",
        "NO_COLOR",
        "FORCE_COLOR",
    ]:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "keys.csv").write_text(f"account,name,digest\netl,old,{'0' * 64}\n")
    (tmp_path / "hmac-key").write_text("YSBrZXkgb2YgYW5vdGhlciBzeXN0ZW0=\n")
    (tmp_path / "permissions.yaml").write_text("permissions: [report:read, {name: report:write, label: W}]\n")
    token = tmp_path / "own-token"
    token.write_text(OWN_TOKEN + "\n")
    token.chmod(0o600)
    monkeypatch.setenv("RETINUE_URL", server.url)
    monkeypatch.setenv("RETINUE_NODE_URL", server.url)
    monkeypatch.setenv("RETINUE_TOKEN_FILE", str(token))
    monkeypatch.setenv("RETINUE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "system"))
    monkeypatch.setattr("retinue.cli.store._keyring", lambda: None)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("retinue.cli.durations._now", lambda: datetime(2026, 3, 1, 12, tzinfo=UTC))
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, stdin: str = "") -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        code = main(list(arguments))
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call
