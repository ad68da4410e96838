"""Output that cannot be written: a full disk, a reader that has gone."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.control_plane import FakeServer


def _retinue(*words: str, stdout: int) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "retinue.cli", *words]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, timeout=180)


@pytest.mark.parametrize("words", [("version",), ("--help",)])
def test_full_disk_is_one_line(words: tuple[str, ...]) -> None:
    """Standard output that takes nothing more is exit code 1 and one line, without a trace of the program."""
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        ended = _retinue(*words, stdout=full)
    finally:
        os.close(full)

    assert (1, b"error: the output: No space left on device\n") == (ended.returncode, ended.stderr)


@pytest.mark.parametrize("words", [("version",), ("--help",)])
def test_reader_that_has_gone_is_no_error(words: tuple[str, ...]) -> None:
    """`retinue ... | head` ends with 0 and says nothing."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = _retinue(*words, stdout=writing)
    finally:
        os.close(writing)

    assert (0, b"") == (ended.returncode, ended.stderr)


def test_token_that_cannot_be_written_is_told(
    run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key was issued: that is said, with what to do, and no file with half a token is left."""

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    outcome = run("key", "issue", "etl", "--out", "token")

    assert (1, 1, False) == (outcome.code, len(server.changes()), Path("token").exists())
    assert "error: token: No space left on device; the token is lost\n" in outcome.err
    assert "regenerate" in outcome.err
