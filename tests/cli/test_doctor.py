"""`retinue doctor`: each thing that can be wrong is found, with what mends it; `backup`: a copy, and whether it is whole."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from retinue.cli import examining
from tests.cli.answers import EPOCH, NODE, problem
from tests.cli.conftest import Run
from tests.cli.control_plane import FakeServer


@pytest.fixture(autouse=True)
def healthy(server: FakeServer) -> None:
    """Servers that are well."""
    from retinue import __version__

    server.replies["GET", "/readyz"] = (200, {})
    server.replies["GET", "/healthz"] = (200, {})
    server.replies["GET", "/v1/openapi.json"] = (200, {"info": {"version": __version__}})
    server.replies["GET", "/v1/epochs/current"] = (200, {**EPOCH, "state": "open"})


def states(run: Run, *flags: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """The exit code, and of each check its state and its fix."""
    outcome = run("doctor", *flags, "-o", "json")
    items = json.loads(outcome.out)["items"]
    return outcome.code, {item["check"]: (item["state"], item["fix"]) for item in items}


def test_all_is_well(run: Run, server: FakeServer) -> None:
    """Everything that is looked at, and nothing is wrong; nothing is changed."""
    code, found = states(run)

    assert (0, set()) == (code, {name for name, (state, _) in found.items() if state == "wrong"})
    assert ["configuration", "control plane", "clock", "version", "sign-in", "node", "epoch"] == list(found)[
        :7
    ]
    assert [] == server.changes()


@pytest.mark.parametrize(
    ("path", "reply", "check", "state"),
    [
        ("/readyz", problem(503, "database_unavailable"), "control plane", "wrong"),
        ("/v1/me", problem(401, "token_unknown"), "sign-in", "wrong"),
        ("/v1/openapi.json", (200, {"info": {"version": "0.0.1"}}), "version", "look"),
        ("/v1/epochs/current", (200, {**EPOCH, "state": "recovering"}), "epoch", "wrong"),
        ("/v1/nodes", (200, {"items": [{**NODE, "connected": False}], "next": None}), "node local", "look"),
        (
            "/v1/nodes",
            (200, {"items": [{**NODE, "clock": {"state": "slow"}}], "next": None}),
            "node local",
            "look",
        ),
    ],
)
def test_what_is_wrong_is_found(
    path: str, reply: object, check: str, state: str, run: Run, server: FakeServer
) -> None:
    """The check says so and names what mends it; exit code 7 for what is wrong, 0 for what deserves a look."""
    server.replies["GET", path] = reply  # type: ignore[assignment]
    code, found = states(run)

    assert (7 if state == "wrong" else 0, state, True) == (code, found[check][0], bool(found[check][1]))


def test_nothing_listens(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without servers each check that needs one says so; the others go on."""
    monkeypatch.setenv("RETINUE_URL", "http://127.0.0.1:1")
    code, found = states(run)

    assert (7, "ok", "wrong", "ok") == (
        code,
        found["configuration"][0],
        found["control plane"][0],
        found["node"][0],
    )


@pytest.mark.parametrize(("ahead", "state"), [(0.0, "ok"), (30.0, "look"), (3600.0, "wrong")])
def test_clocks(ahead: float, state: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is off by seconds deserves a look, by minutes it is wrong."""
    real = examining._now
    monkeypatch.setattr(examining, "_now", lambda: real() + ahead)

    assert state == states(run)[1]["clock"][0]


def test_secrets_that_others_can_read(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are wrong; `--fix` mends their modes and says that they may have been read."""
    Path("home").mkdir()
    Path("home/pepper").write_text("x")
    Path("home/pepper").chmod(0o644)
    monkeypatch.setenv("RETINUE_HOME", "home")
    before = states(run)
    fixed = states(run, "--fix")
    after = states(run)

    assert [(7, "wrong"), (0, "look"), (0, "ok")] == [
        (code, found["secrets of this host"][0]) for code, found in (before, fixed, after)
    ]
    assert 0o600 == Path("home/pepper").stat().st_mode & 0o777


def test_disk(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is nearly full is told before the log and the database stop."""
    Path("home").mkdir()
    monkeypatch.setenv("RETINUE_HOME", "home")
    monkeypatch.setattr(examining.shutil, "disk_usage", lambda _path: SimpleNamespace(free=1 << 20))  # type: ignore[attr-defined]

    assert "wrong" == states(run)[1]["disk of this host"][0]


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, run: Run) -> Path:
    """A folder with a database that is written to."""
    folder = Path("home")
    folder.mkdir()
    # Closed by hand: by itself it would be at some later time.
    with closing(sqlite3.connect(folder / "retinue.db")) as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE ledger_head (epoch, revision)")
        database.execute("CREATE TABLE ledger_auditevent (id, text)")
        database.execute("INSERT INTO ledger_head VALUES (1, 7)")
        database.executemany(
            "INSERT INTO ledger_auditevent VALUES (?, ?)", [(n, "x" * 400) for n in range(2000)]
        )
    monkeypatch.setenv("RETINUE_HOME", str(folder))
    return folder


def test_backup_is_one_state_in_one_file(home: Path, run: Run) -> None:
    """What is committed is in it, also what still waits in the log beside the database; private, and whole."""
    writer = sqlite3.connect(home / "retinue.db")
    writer.execute("UPDATE ledger_head SET revision = 8")
    writer.commit()
    writer.execute("UPDATE ledger_head SET revision = 9")
    made = run("backup", "create", "--out", "copy.db", "-o", "json")
    writer.rollback()
    checked = run("backup", "verify", "copy.db", "-o", "json")
    again = run("backup", "create", "--out", "copy.db")

    assert (0, 0, 6) == (made.code, checked.code, again.code), made.err
    assert {"whole": True, "epoch": 1, "revision": 8, "audit_events": 2000} == {
        name: value for name, value in json.loads(checked.out).items() if name != "bytes"
    }
    assert 0o600 == Path("copy.db").stat().st_mode & 0o777
    assert [] == list(Path().glob("copy.db-*"))


@pytest.mark.parametrize("damage", ["cut off", "torn", "another file"])
def test_a_broken_backup_is_told(damage: str, home: Path, run: Run) -> None:
    """Exit code 7."""
    run("backup", "create", "--out", "copy.db")
    whole = Path("copy.db").read_bytes()
    half = len(whole) // 2
    broken = {
        "cut off": whole[: half // 4096 * 4096],
        "torn": whole[:half] + b"\xff" * 20_000 + whole[half + 20_000 :],
        "another file": b"nonsense" * 1000,
    }
    Path("copy.db").write_bytes(broken[damage])

    assert 7 == run("backup", "verify", "copy.db").code


def test_what_is_no_sqlite(home: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL has tools of its own; they are named, and no file is left."""
    monkeypatch.setenv("RETINUE_DATABASE_URL", "postgresql://u:hidden@localhost/x")
    outcome = run("backup", "create", "--out", "copy.db")

    assert (2, True, False) == (outcome.code, "pg_dump" in outcome.err, "hidden" in outcome.err)
    assert not Path("copy.db").exists()
    assert 3 == run("backup", "verify", "missing.db").code


def test_a_backup_is_put_back(home: Path, run: Run) -> None:
    """It takes the place of the database, which is kept; the next start is told, with the nodes that it need not ask."""
    run("backup", "create", "--out", "copy.db")
    with closing(sqlite3.connect(home / "retinue.db")) as database:
        database.execute("UPDATE ledger_head SET revision = 9")
        database.commit()
    tried = run("backup", "restore", "copy.db", "--dry-run")
    asked = run("backup", "restore", "copy.db")
    before = _revision(home / "retinue.db")
    done = run("backup", "restore", "copy.db", "--skip-node", "edge", "--yes")
    (kept,) = home.glob("retinue.db.before-*")

    assert (0, 10, 9, 0) == (tried.code, asked.code, before, done.code), done.err
    assert (7, 9) == (_revision(home / "retinue.db"), _revision(kept))
    assert "edge\n" == (home / "restored").read_text()
    assert 0o600 == (home / "retinue.db").stat().st_mode & 0o777
    assert [] == [*home.glob("*-wal"), *home.glob("*.part")]


def test_no_backup_is_put_under_a_running_server(home: Path, run: Run) -> None:
    """While a process has the database open, and with a copy that is damaged: exit code 6, and nothing has changed."""
    run("backup", "create", "--out", "copy.db")
    with closing(sqlite3.connect(home / "retinue.db")) as opened:
        opened.execute("SELECT * FROM ledger_head").fetchall()
        in_use = run("backup", "restore", "copy.db", "--yes")
    Path("copy.db").write_bytes(Path("copy.db").read_bytes()[: 40 * 4096])
    damaged = run("backup", "restore", "copy.db", "--yes")

    assert (6, True) == (in_use.code, "is in use" in in_use.err)
    assert 6 == damaged.code
    assert (7, []) == (_revision(home / "retinue.db"), [*home.glob("*.before-*"), *home.glob("restored")])
    assert 3 == run("backup", "restore", "missing.db", "--yes").code


def test_what_was_looked_at_is_what_is_put_back(home: Path, run: Run) -> None:
    """
    A copy that has a log beside it is put back with what is in the log; and the database itself can be named.
    """
    with closing(sqlite3.connect(home / "retinue.db")) as opened:
        opened.execute("PRAGMA journal_mode = WAL")
        opened.execute("UPDATE ledger_head SET revision = 9")
        opened.commit()
        for ending in ("", "-wal"):
            # By another process: to close a file of the database here would let go of its locks.
            subprocess.run(["cp", home / f"retinue.db{ending}", f"copy.db{ending}"], check=True)
    done = run("backup", "restore", "copy.db", "--yes")
    first = _revision(home / "retinue.db")
    again = run("backup", "restore", str(home / "retinue.db"), "--yes")

    assert (0, 9) == (done.code, first), done.err
    assert (0, 9) == (again.code, _revision(home / "retinue.db")), again.err
    assert [] == [*home.glob("*.part*")]


def test_a_restore_that_finds_no_room_leaves_the_database(
    home: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The copy is made before the database makes way: what fails there has changed nothing.
    """
    run("backup", "create", "--out", "copy.db")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    failed = run("backup", "restore", "copy.db", "--yes")

    assert (6, True) == (failed.code, "No space left on device" in failed.err)
    assert (7, []) == (_revision(home / "retinue.db"), [*home.glob("*.before-*"), *home.glob("*.part")])


def test_a_damaged_database_makes_way(home: Path, run: Run) -> None:
    """What cannot be opened any more is kept as it is; a database that is gone needs no place."""
    run("backup", "create", "--out", "copy.db")
    for path in home.glob("retinue.db-*"):
        path.unlink()  # SQLite would mend the database by its log
    (home / "retinue.db").write_bytes(b"nonsense" * 1000)
    done = run("backup", "restore", "copy.db", "--yes")
    (home / "retinue.db").unlink()
    again = run("backup", "restore", "copy.db", "--yes")

    assert (0, 0, 7) == (done.code, again.code, _revision(home / "retinue.db")), done.err
    assert [b"nonsense" * 1000] == [path.read_bytes() for path in home.glob("*.before-*")]


def _revision(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("SELECT revision FROM ledger_head").fetchone()[0])
