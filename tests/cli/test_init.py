"""`init`: what it hands on to the control plane's own program."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from retinue.cli.exits import Exit
from tests.cli.conftest import Run

FLAGS = {
    "--organization": "acme",
    "--admin-email": "admin@acme.example",
    "--admin-password-file": "P",
    "--token-file": "T",
}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], str]]:
    """What the child would have been: arguments and home. It ends with exit code 3."""
    started: list[tuple[list[str], str]] = []

    def child(argv: list[str], env: dict[str, str], **_: object) -> subprocess.CompletedProcess[bytes]:
        started.append((argv[1:], env["RETINUE_HOME"]))
        return subprocess.CompletedProcess(argv, 3)

    monkeypatch.setattr("retinue.cli.init.subprocess.run", child)
    return started


def test_flags_are_passed_on(
    run: Run, seen: list[tuple[list[str], str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`init` runs the control plane's program with the same flags and ends with its exit code."""
    monkeypatch.setenv("RETINUE_HOME", "D")

    outcome = run("init", *[word for pair in FLAGS.items() for word in pair])

    argv, where = seen[0]
    assert (3, str(tmp_path / "D")) == (outcome.code, where)
    assert ["-m", "retinue.server", "init"] == argv[:3]
    assert {f"{flag}={value}" for flag, value in FLAGS.items()} | {"--no-input"} == set(argv[3:])


def test_folder_comes_before_the_environment(
    run: Run, seen: list[tuple[list[str], str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`init DIR` makes the installation there."""
    monkeypatch.setenv("RETINUE_HOME", "D")

    run("init", "E", "--no-admin")

    assert (["-m", "retinue.server", "init", "--no-admin", "--no-input"], str(tmp_path / "E")) == seen[0]


def test_setup_code_does_not_end_in_the_log_of_a_build(
    run: Run, seen: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `CI` set a setup code goes to a file or nowhere."""
    monkeypatch.setenv("CI", "true")

    refused = run("init", "--no-input", "--organization", "acme", "--no-admin")
    run("init", "--no-input", "--organization", "acme", "--no-admin", "--token-file", "F")

    assert (Exit.USAGE, 1) == (refused.code, len(seen))
    assert "--token-file" in refused.err
