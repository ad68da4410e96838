"""Housekeeping in a served control plane: it works in the background, and does not hold up the end."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.support.installation import Installation
from tests.support.processes import wait_for

ROWS = 300_000
_FILL = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
INSERT INTO traffic_request (at, organization, account, account_kind, account_name, credential, allowed, reason,
    permission, method, path, address, client, node, revision, duration_us, request_id, route, status)
SELECT '2020-01-01 00:00:00', 'org_x', '', '', '', '', 1, '', '', '', '', '', '', 'local', 0, 0, '', '', 0 FROM n
"""


def test_a_control_plane_that_is_deleting_ends_at_once(tmp_path: Path) -> None:
    """
    A log that is too old is being deleted piece by piece when SIGTERM comes: the process ends with 0, what
    was being deleted is whole, and the rest is left for the next start.
    """
    installation = Installation(tmp_path / "home")
    installation.init()
    database = sqlite3.connect(tmp_path / "home" / "retinue.db", timeout=30, isolation_level=None)

    def left() -> int:
        return int(database.execute("SELECT count(*) FROM traffic_request").fetchone()[0])

    database.execute(_FILL, [ROWS])
    try:
        installation.start()
        wait_for("housekeeping has begun", lambda: left() < ROWS, seconds=30)
    finally:
        code = installation.stop()

    assert 0 == code
    assert 0 < left() < ROWS
    assert ("ok",) == database.execute("PRAGMA integrity_check").fetchone()
    database.close()
