"""The audit log is proven to who asks: by the command, from an export, and by one file that runs alone."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from retinue import proof
from tests.support.installation import Installation, http
from tests.support.processes import wait_for

JSON = dict[str, Any]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Installation]:
    """An installation that is served, with a few events."""
    made = Installation(tmp_path / "home")
    made.init()
    made.start()
    _change(made, "one")
    yield made
    made.stop()


def _change(served: Installation, name: str) -> None:
    served.cli("role", "create", name, "--permission", "report:read")
    # Its receipt is an event too, with fractions of seconds.
    served.cli("role", "delete", name, "--yes")
    wait_for("the log has it", lambda: _log(served).get("behind") == 0)


def _log(served: Installation) -> JSON:
    found: JSON = http("GET", f"{served.url}/v1/audit-log", token=served.token()).json()
    return found


def _alone(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the file that others copy: without our package and any other."""
    copy = folder / "check.py"
    shutil.copy(str(proof.__file__), copy)
    command = [sys.executable, "-I", "-S", str(copy), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_log_that_is_whole_is_proven(served: Installation, tmp_path: Path) -> None:
    """
    By the command, asked of the server and of an export; and by the copied file, with a key and an earlier
    checkpoint from outside. After kill -9 it goes on, and the command still agrees with what it kept.
    """
    export, kept = tmp_path / "events.jsonl", tmp_path / "checkpoint"
    first = served.run("audit", "verify")
    kept.write_text(served.cli("audit", "checkpoint"))
    served.kill()
    served.start()
    _change(served, "two")
    served.cli("audit", "export", "--proofs", "--out", str(export))
    key = _log(served)["logs"][-1]["key"]
    again = served.run("audit", "verify", "--key", key)
    offline = served.run("audit", "verify", "--file", str(export), "--checkpoint", str(kept))
    alone = _alone(tmp_path, export, "--checkpoint", kept, "--key", key)

    assert [0, 0, 0, 0] == [each.returncode for each in (first, again, offline, alone)], alone.stderr
    events = len(export.read_text().splitlines()) - 1
    assert f"{events} events hold" in again.stdout
    assert f"{events} events hold\n" == offline.stdout == alone.stdout
    assert key in again.stdout


def test_what_was_changed_is_named(served: Installation, tmp_path: Path) -> None:
    """
    An export with another word, without a line, or under another key, and a database in which an event was
    written over: exit code 7, and the event is named. The API and a look at the rows name it too.
    """
    export = tmp_path / "events.jsonl"
    served.cli("audit", "verify")
    served.cli("audit", "export", "--proofs", "--out", str(export))
    lines = export.read_text().splitlines(keepends=True)
    event = json.loads(lines[0])
    wrong = {
        "changed": [lines[0].replace('"type":"', '"type":"x', 1), *lines[1:]],
        "dropped": [lines[0], *lines[2:]],
        "cut": [*lines[:-1], json.dumps(json.loads(lines[-1]) | {"entries": "AAAA"}) + "\n"],
    }
    codes = {}
    for name, text in wrong.items():
        path = tmp_path / name
        path.write_text("".join(text))
        codes[name] = (
            served.run("audit", "verify", "--file", str(path)).returncode,
            _alone(tmp_path, path).returncode,
        )
    other = proof.told_key("x", b"\x01" * 32)
    codes["another key"] = (
        served.run("audit", "verify", "--key", other).returncode,
        _alone(tmp_path, export, "--key", other).returncode,
    )
    with closing(sqlite3.connect(served.home / "retinue.db", timeout=20)) as database, database:
        database.execute("UPDATE ledger_auditevent SET subject = 'x' WHERE id = ?", [event["id"]])
    online = served.run("audit", "verify")
    looked = http("POST", f"{served.url}/v1/audit-log/verify", token=served.token(), body={}).json()

    assert {(7, 7)} == set(codes.values()), codes
    assert 7 == online.returncode
    assert f"event {event['id']} is not what is in the log" in online.stderr
    assert "broken" == looked["state"]
    assert [f"event {event['id']} is not what it was"] == looked["logs"][-1]["trouble"]


def test_a_restored_backup_goes_on_under_a_new_origin(served: Installation, tmp_path: Path) -> None:
    """
    The new log names the newest checkpoint of the old one and how much of it is left. Who kept that checkpoint
    is told that entries are gone, until they begin anew.
    """
    backup = tmp_path / "backup.db"
    with closing(sqlite3.connect(served.home / "retinue.db")) as database:
        database.execute("VACUUM INTO ?", [str(backup)])
    left = _log(served)["logs"][-1]["size"]
    _change(served, "lost")
    served.cli("audit", "verify")
    before = _log(served)["logs"][-1]
    served.stop()
    for name in ("retinue.db", "retinue.db-wal", "retinue.db-shm"):
        (served.home / name).unlink(missing_ok=True)
    shutil.copy(backup, served.home / "retinue.db")
    served.start()
    # Until every lease of before has ended the API answers nobody.
    wait_for("the log goes on", lambda: _log(served).get("behind") == 0, seconds=60)
    logs = _log(served)["logs"]
    link = json.loads(logs[1]["link"])
    told = served.run("audit", "verify")
    shutil.rmtree(tmp_path / ".local")
    anew = served.run("audit", "verify")

    assert [before["origin"], before["origin"].replace("/1", "/2")] == [each["origin"] for each in logs]
    assert (before["origin"], before["size"], left) == (
        link["continues"]["origin"],
        link["continues"]["size"],
        link["kept"]["size"],
    )
    assert left == logs[0]["size"] < before["size"]
    assert 7 == told.returncode
    assert f"{before['size']} entries were signed, {left} are there" in told.stderr
    assert 0 == anew.returncode, anew.stderr


def test_the_key_is_exchanged_as_the_documents_say(served: Installation, tmp_path: Path) -> None:
    """
    Stopped, the file deleted, `retinue init`, started: the log goes on under a new origin and key, whose first entry
    names the last checkpoint of the old one. Who kept the old key is told until the new one is named beside it; a
    checkpoint of before still holds, and an export proves the events of both.
    """
    export, kept = tmp_path / "events.jsonl", tmp_path / "checkpoint"
    served.cli("audit", "verify")
    kept.write_text(served.cli("audit", "checkpoint"))
    before = _log(served)["logs"][-1]
    served.stop()
    (served.home / "ledger-key").unlink()
    served.init()
    served.start()
    _change(served, "after")
    logs = _log(served)["logs"]
    keys = [flag for log in logs for flag in ("--key", log["key"])]
    unknown = served.run("audit", "verify")
    named = served.run("audit", "verify", *keys)
    again = served.run("audit", "verify")
    served.cli("audit", "export", "--proofs", "--out", str(export))
    alone = _alone(tmp_path, export, "--checkpoint", kept, *keys)

    assert [before["key"], True] == [logs[0]["key"], before["key"] != logs[1]["key"]]
    assert f"{before['origin']}.2" == logs[1]["origin"]
    assert before["checkpoint"] == logs[0]["checkpoint"]
    assert {"origin": before["origin"], "size": before["size"]}.items() <= json.loads(logs[1]["link"])[
        "continues"
    ].items()
    assert 7 == unknown.returncode
    assert f"{logs[1]['origin']} is signed by a key that was not given" in unknown.stderr
    assert [0, 0, 0] == [each.returncode for each in (named, again, alone)], (named.stderr, alone.stderr)
