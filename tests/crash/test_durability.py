"""A database that would lose confirmed commits in a power cut is not served: the settings are read back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.installation import Installation
from tests.support.requirements import requires

_SQLITE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "retinue.server.settings"
import django
django.setup()
from django.db import connection
from retinue.server import schema
with connection.cursor() as cursor:
    cursor.execute(sys.argv[1])
try:
    schema.check_durability()
except schema.WeakDurability as weak:
    print(weak)
else:
    print("served")
"""


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELECT 1", "served"),
        ("PRAGMA synchronous=NORMAL", "SQLite: journal_mode=wal, synchronous=1; needs wal and 2 (FULL)"),
        ("PRAGMA synchronous=OFF", "SQLite: journal_mode=wal, synchronous=0; needs wal and 2 (FULL)"),
        ("PRAGMA journal_mode=DELETE", "SQLite: journal_mode=delete, synchronous=2; needs wal and 2 (FULL)"),
    ],
)
def test_sqlite(statement: str, said: str, tmp_path: Path) -> None:
    """
    A connection to SQLite is in WAL mode with ``synchronous=FULL``; anything less is named.
    """
    environment = {
        "RETINUE_HOME": str(tmp_path / "home"),
        "RETINUE_DATABASE_URL": f"sqlite:///{tmp_path}/x.db",
    }
    found = subprocess.run(
        [sys.executable, "-c", _SQLITE, statement], env=environment, capture_output=True, text=True
    )

    assert f"{said}\n" == found.stdout, found.stderr


@requires("postgres")
def test_postgresql(tmp_path: Path) -> None:
    """
    A weaker ``synchronous_commit``, wherever it comes from, and a server that does not wait for its disk stop
    `retinue serve` with a line that names the setting.
    """
    from tests.support.postgres import PostgresServer

    with PostgresServer.start(fsync=False) as server:
        url = server.create_database()
        Installation(tmp_path / "home", {"RETINUE_DATABASE_URL": url}).init()
        weak = {
            f"synchronous_commit={level}": f"{url}?options={quote(f'-c synchronous_commit={level}')}"
            for level in ("off", "local", "remote_write")
        }
        for setting, weakened in {**weak, "fsync=off": url}.items():
            installation = Installation(tmp_path / "home", {"RETINUE_DATABASE_URL": weakened})
            done = installation.run("serve", "--port", str(installation.port), "--only", "control")

            assert (1, False) == (done.returncode, "Traceback" in done.stderr)
            assert f"error: PostgreSQL: {setting}; needs on" in done.stderr
            assert "control refuses to start; stopping" in done.stderr
