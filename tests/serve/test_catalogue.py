"""A broken permissions.yaml, and a database of a newer or an older version."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from retinue.supervisor import REFUSES, RESTARTED
from tests.support.installation import Installation

BROKEN = {
    "not YAML": (b"permissions: [", "not YAML"),
    "not UTF-8": (b"\xff\xfe", "not UTF-8"),
    "deep": (b"permissions: " + b"[" * 5000, "nested too deeply"),
    "reserved": (b"permissions:\n  - user:read\n", "reserved for Retinue itself (permissions[0].name)"),
    "no date": (b"permissions:\n  - 2001-99-99\n", "not of the type"),
}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation that was made and is not served."""
    made = Installation(tmp_path_factory.mktemp("catalogue") / "home")
    made.init()
    return made


def _command(installation: Installation) -> list[str]:
    return [sys.executable, "-m", "retinue.server", "serve", "--port", str(installation.port)]


def _serve(installation: Installation) -> tuple[int, list[str]]:
    done = subprocess.run(
        _command(installation),
        env=installation.environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize("name", BROKEN)
def test_broken_catalogue(name: str, installation: Installation) -> None:
    """
    The first start refuses it in one line with file and rule; one in operation keeps what is stored and serves.
    """
    data, rule = BROKEN[name]
    path = installation.home / "permissions.yaml"
    before = path.read_bytes()
    path.write_bytes(data)
    try:
        code, said = _serve(installation)
        load = (
            "import django; django.setup(); from retinue.server import catalogue; "
            "catalogue.load(in_operation=True)"
        )
        again = subprocess.run(
            [sys.executable, "-c", load],
            env={
                **installation.environment,
                RESTARTED: "1",
                "DJANGO_SETTINGS_MODULE": "retinue.server.settings",
            },
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=30,
        )
    finally:
        path.write_bytes(before)

    assert (REFUSES, 1) == (code, len(said)), said
    assert said[0].startswith(f"error: {path}: ")
    assert rule in said[0]
    assert (0, 1) == (again.returncode, len(again.stderr.splitlines())), again.stderr
    assert again.stderr.startswith(f"warning: {path}: ")


def test_newer_database_is_refused(installation: Installation) -> None:
    """
    A migration that this version does not know ends the start with a line that names it.
    """
    with sqlite3.connect(installation.home / "retinue.db") as database:
        database.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('access', '9999_later', '2026-01-01')"
        )
    code, said = _serve(installation)
    with sqlite3.connect(installation.home / "retinue.db") as database:
        database.execute("DELETE FROM django_migrations WHERE name = '9999_later'")

    assert (REFUSES, 1) == (code, len(said)), said
    assert "newer version (access.9999_later is applied)" in said[0]


def test_older_database_is_brought_to_this_version_by_init(installation: Installation) -> None:
    """
    A migration that is missing ends the start with a line that says what to do; ``init`` applies it and changes
    nothing else.
    """
    with sqlite3.connect(installation.home / "retinue.db") as database:
        database.execute("DROP TABLE nodes_nodeabout")
        database.execute("DELETE FROM django_migrations WHERE name = '0011_node_about'")
    code, said = _serve(installation)
    done = installation.run("init", "--no-input")

    assert (REFUSES, 1) == (code, len(said)), said
    assert "run `retinue init`" in said[0]
    assert (0, True) == (done.returncode, "nothing changed" in done.stderr)
    with sqlite3.connect(installation.home / "retinue.db") as database:
        assert [(0,)] == database.execute("SELECT count(*) FROM nodes_nodeabout").fetchall()
