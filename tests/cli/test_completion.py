"""Completion: commands, flags, and names that exist; quick, quiet, and never in the way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from retinue.cli import completing
from tests.cli.answers import problem
from tests.cli.conftest import Run
from tests.cli.control_plane import FakeServer

PROGRAMS = sysconfig.get_path("scripts")


@pytest.fixture(autouse=True)
def cache(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of the test's own; the tree of commands is shared, because it takes a moment."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def complete(run: Run, *words: str) -> list[str]:
    """What a shell is told; nothing is ever said beside it."""
    outcome = run("__complete", *words)
    assert (0, "") == (outcome.code, outcome.err)
    return outcome.out.splitlines()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("acc",), ["access-policy", "account"]),
        (("key", "re"), ["regenerate", "rename", "restore", "restrict", "revoke"]),
        (("key", "issue", "etl", "--na"), ["--name"]),
        (("account", "list", "-o", "js"), ["json", "jsonl"]),
        (("completion", ""), ["bash", "zsh", "fish", "powershell"]),
        (("log", "list", "--decision", ""), ["allowed", "denied"]),
        (("account", "get", ""), ["etl"]),
        (("account", "get", "x"), []),
        (("sa", "disable", "e"), ["etl"]),
        (("key", "issue", ""), ["etl"]),
        (("key", "revoke", "etl/k"), ["etl/k1", "etl/k2"]),
        (("log", "list", "--account", "e"), ["etl"]),
        (("log", "list", "--account=e"), ["--account=etl"]),
        (("role", "get", ""), ["auditor"]),
        (("role", "add", ""), ["auditor"]),
        (("grant", "add", "etl", "--role", "au"), ["auditor"]),
        (("group", "members", "D"), ["Data"]),
        (("team", "get", ""), ["Blue"]),
        (("node", "get", "l"), ["local"]),
        (("pat", "revoke", ""), ["init"]),
        (("who-can", "report:"), ["report:read"]),
        (("account", "create", ""), []),
        (("run", "--", "e"), []),
        (("nonsense", ""), []),
    ],
)
def test_candidates(words: tuple[str, ...], expected: list[str], run: Run) -> None:
    """What fits is told, as it can stand there."""
    found = complete(run, *words)

    assert expected == [each for each in found if each in expected or not expected]
    assert all(each.startswith(words[-1]) for each in found)


def test_profiles(run: Run) -> None:
    """They are here, and need no server."""
    run("profile", "add", "work", "http://127.0.0.1:1")

    assert ["work"] == complete(run, "account", "list", "--profile", "w")


def test_offline_is_quiet(run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a server there are no names, and what was known lately is told again; commands are always told."""
    known = complete(run, "account", "get", "")
    monkeypatch.setattr(completing, "_FRESH", 0.0)
    server.replies["GET", "/v1/service-accounts"] = problem(503, "database_unavailable")
    again = complete(run, "account", "get", "")
    monkeypatch.setenv("RETINUE_URL", "http://127.0.0.1:1")

    assert (["etl"], ["etl"], [], ["get"]) == (
        known, again, complete(run, "account", "get", ""), complete(run, "account", "ge")
    )  # fmt: skip


def test_names_are_asked_for_once_a_minute(run: Run, server: FakeServer, cache: Path) -> None:
    """The second time they come from the cache, which is private, holds no token, and is another one's for another."""
    complete(run, "account", "get", "")
    complete(run, "account", "get", "e")
    files = list(cache.rglob("names-*"))

    assert (1, 1) == (len(server.calls), len(files))
    assert 0o600 == files[0].stat().st_mode & 0o777
    assert "token" not in files[0].read_text()
    os.environ["RETINUE_TOKEN_FILE"] = ""
    os.environ["RETINUE_TOKEN"] = "rtnpat_AnotherAnoth_" + "o" * 49
    complete(run, "account", "get", "")
    assert 2 == len(server.calls)


@pytest.mark.parametrize("trouble", ["no token", "a keyring", "a broken file"])
def test_it_never_asks(trouble: str, run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not signed in, a keyring that might ask, a file that is broken: no names, and no word."""
    monkeypatch.delenv("RETINUE_TOKEN_FILE")
    Path("config").mkdir()
    if trouble == "a keyring":
        Path("config/credentials.toml").write_text(
            f'[profiles.default]\nurl = "{server.url}"\nplace = "keyring"\n'
        )
        monkeypatch.setattr("retinue.cli.store._keyring", lambda: pytest.fail("was asked"))
    if trouble == "a broken file":
        Path("config/credentials.toml").write_text("nonsense")

    assert ([], []) == (complete(run, "account", "get", ""), server.calls)


def test_names_cannot_break_a_shell(run: Run, server: FakeServer) -> None:
    """A name with a line end, or one that would steer the terminal, is no candidate."""
    items = [{"name": "ok"}, {"name": "a\nb"}, {"name": "\x1b[2J"}]
    server.replies["GET", "/v1/groups"] = (200, {"items": items, "next": None})

    assert ["ok"] == complete(run, "group", "get", "")


def test_bash(run: Run, server: FakeServer, tmp_path: Path) -> None:
    """In a real bash the words under the cursor are completed, quoted where they need it."""
    server.replies["GET", "/v1/groups"] = (200, {"items": [{"name": "Data $(touch x)"}], "next": None})
    (tmp_path / "c.bash").write_text(run("completion", "bash").out)
    script = (
        "source c.bash; COMP_WORDS=(retinue group get D); COMP_CWORD=3; _retinue; printf '%s\\n' \"${COMPREPLY[@]}\"; "
        "COMP_WORDS=(retinue accou); COMP_CWORD=1; _retinue; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    environment = {**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", f"compopt() {{ :; }}; {script}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
    )

    assert ["Data\\ \\$\\(touch\\ x\\)", "account"] == done.stdout.splitlines(), done.stderr
    assert not (tmp_path / "x").exists()


#: What makes the shells that are here complete `retinue key re`, without a terminal; zsh has no other way to ask.
_COMPLETED = {
    "zsh": (
        *("zsh", "-f", "-c"),
        'compdef() { :; }; compadd() { shift; print -l -- "$@" }; _files() { print files }; source script; '
        "words=(retinue key re); CURRENT=3; _retinue; words=(retinue group get D); CURRENT=4; _retinue",
    ),
    "fish": (
        *("fish", "--no-config", "-c"),
        "source script; complete -C 'retinue key re'; complete -C 'retinue group get D'",
    ),
}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_scripts_are_of_their_shell(shell: str, run: Run, tmp_path: Path) -> None:
    """Each script is one that its shell can read, and zsh and fish complete by it, where they are here."""
    path = tmp_path / "script"
    path.write_text(run("completion", shell).out)

    assert "retinue __complete" in path.read_text()
    if shutil.which(shell):
        assert 0 == subprocess.run([shell, "-n", str(path)], timeout=180).returncode
    if shutil.which(shell) and shell in _COMPLETED:
        environment = {**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}", "HOME": str(tmp_path)}
        done = subprocess.run(_COMPLETED[shell], env=environment, capture_output=True, text=True, timeout=180)
        verbs = ["regenerate", "rename", "restore", "restrict", "revoke"]
        assert [*verbs, "Data"] == [line.partition("\t")[0] for line in done.stdout.splitlines()], done.stderr


def test_a_warm_completion_loads_little(run: Run, cache: Path) -> None:
    """With the tree in the cache neither the command framework nor the drawing library is loaded."""
    complete(run, "acc")
    script = (
        "import sys; from retinue.cli.__main__ import main; main(['__complete', 'account', 'ge']); "
        "print(*sorted({'cyclopts', 'rich', 'msgspec', 'lmdb', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=180)

    assert ["get", ""] == done.stdout.split("\n")[:2]
