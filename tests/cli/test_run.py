"""`retinue run`: a program gets a token of its own, which ends with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.answers import NEW_TOKEN, problem
from tests.cli.conftest import OWN_TOKEN, Run
from tests.cli.control_plane import FakeServer

SHOW = (
    "import json, os; path = os.environ.get('RETINUE_TOKEN_FILE'); "
    "print(json.dumps({**os.environ, 'held': open(path).read() if path else ''}))"
)


@pytest.mark.parametrize(
    ("flags", "issued", "revoked"),
    [
        (
            ("--account", "etl"),
            "/v1/service-accounts/sa_EEEEEEEEEEEEEEEE/keys",
            "/v1/keys/key_LiveLiveLive/revoke",
        ),
        ((), "/v1/me/tokens", "/v1/me/tokens/pat_AdminAdminAd/revoke"),
    ],
)
def test_token_is_issued_and_revoked(
    flags: tuple[str, ...], issued: str, revoked: str, run: Run, server: FakeServer, tmp_path: Path
) -> None:
    """For an account or for oneself: issued for a quarter of an hour, revoked when the program has ended."""
    outcome = run("run", *flags, "--", sys.executable, "-c", f"open({str(tmp_path / 'ran')!r}, 'w')")
    changes = server.changes()

    assert (0, True) == (outcome.code, (tmp_path / "ran").exists())
    assert [issued, revoked] == [call.path for call in changes]
    assert "15m" == changes[0].body["expires"]
    assert NEW_TOKEN not in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("flags", "name"), [((), "RETINUE_TOKEN"), (("--env", "API_TOKEN"), "API_TOKEN"), (("--file",), "held")]
)
def test_where_the_token_is(
    flags: tuple[str, ...], name: str, tmp_path: Path, server: FakeServer, run: Run
) -> None:
    """In a variable, or in a file that is gone afterwards; the caller's own token is in neither."""
    out = tmp_path / "environment"
    code = f"import sys; sys.stdout = open({str(out)!r}, 'w'); {SHOW}"
    assert 0 == run("run", *flags, "--", sys.executable, "-c", code).code
    found = json.loads(out.read_text())

    assert NEW_TOKEN == found[name].strip()
    assert OWN_TOKEN not in json.dumps(found)
    assert flags != ("--file",) or not Path(found["RETINUE_TOKEN_FILE"]).exists()


@pytest.mark.parametrize(
    ("code", "expected"),
    [("raise SystemExit(42)", 42), ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137)],
)
def test_exit_code_is_that_of_the_program(code: str, expected: int, run: Run, server: FakeServer) -> None:
    """Its exit code, or 128 and the signal that ended it; the token is revoked in each case."""
    outcome = run("run", "--", sys.executable, "-c", code)

    assert (expected, True) == (outcome.code, server.changes()[-1].path.endswith("/revoke"))


def test_program_that_is_not_there(run: Run, server: FakeServer) -> None:
    """127 as in a shell, and its token is revoked."""
    outcome = run("run", "--", "no-such-program")

    assert (127, True) == (outcome.code, server.changes()[-1].path.endswith("/revoke"))


@pytest.mark.parametrize(
    ("number", "expected"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_signals_reach_the_program(
    number: signal.Signals, expected: int, run: Run, server: FakeServer, tmp_path: Path
) -> None:
    """A signal goes to the program; when that has ended, its token is revoked and the command ends alike."""
    ready = tmp_path / "ready"
    code = f"import signal, time; signal.signal(signal.SIGINT, signal.SIG_DFL); open({str(ready)!r}, 'w'); time.sleep(60)"
    argv = [sys.executable, "-m", "retinue.cli", "run", "-q", "--", sys.executable, "-c", code]
    process = subprocess.Popen(argv, env=dict(os.environ), stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not ready.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)

    assert expected == process.wait(60)
    assert server.changes()[-1].path.endswith("/revoke")


def test_a_token_that_cannot_be_revoked_is_told(run: Run, server: FakeServer) -> None:
    """The exit code stays that of the program; which token works on is told, and until when."""
    server.replies["POST", "/v1/me/tokens/pat_AdminAdminAd/revoke"] = problem(503, "database_unavailable")
    outcome = run("run", "--", sys.executable, "-c", "")

    assert (0, True) == (outcome.code, "pat_AdminAdminAd could not be revoked" in outcome.err)


def test_nothing_runs_without_a_token(run: Run, server: FakeServer, tmp_path: Path) -> None:
    """Refused its token, the program is not started; nor by a dry run."""
    server.replies["POST", "/v1/me/tokens"] = problem(403, "permission_missing", required=["pat:issue"])
    code = f"open({str(tmp_path / 'ran')!r}, 'w')"
    refused = run("run", "--", sys.executable, "-c", code)
    server.replies.clear()
    tried = run("run", "--dry-run", "--", sys.executable, "-c", code)

    assert (5, 0, False) == (refused.code, tried.code, (tmp_path / "ran").exists())


@pytest.mark.parametrize(
    "words", [("run",), ("run", "--env", "A", "--file", "--", "x"), ("run", "--env", "A=B", "--", "x"),
              ("run", "--ttl", "0", "--", "x")]
)  # fmt: skip
def test_mistakes(words: tuple[str, ...], run: Run, server: FakeServer) -> None:
    """Wrong usage issues nothing."""
    assert (2, []) == (run(*words).code, server.changes())


def test_flags_of_the_program_are_its_own(run: Run, server: FakeServer, tmp_path: Path) -> None:
    """Behind `--` nothing is read here; global flags before the noun stay ours."""
    out = tmp_path / "arguments"
    code = f"import sys; open({str(out)!r}, 'w').write(' '.join(sys.argv[1:]))"
    run("-q", "--org", "acme", "run", "--", sys.executable, "-c", code, "--org", "x", "-o", "json", "--")

    assert "--org x -o json --" == out.read_text()
    assert {"acme"} == {call.headers.get("retinue-organization") for call in server.calls}
