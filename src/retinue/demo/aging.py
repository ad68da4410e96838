"""The one thing of the story that no operation can be told: that accounts are older than the demo.

What is found of an account depends on how long it has had time to use what it holds. The demo's database is
its own, in its temporary folder; the audit log goes on saying when the sample was made.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path


def age(database: Path, names: Sequence[str], days: int) -> None:
    """Let the service accounts with these names have been created ``days`` days ago."""
    created = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S.%f")
    with closing(sqlite3.connect(database, timeout=10)) as opened, opened:
        opened.executemany(
            "UPDATE directory_principal SET created_at = ? WHERE name = ? AND kind = 'service_account'",
            [(created, name) for name in names],
        )
