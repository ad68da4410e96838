"""Whether the database can be written to: asked before anybody fills a form in for nothing."""

from __future__ import annotations

import os
from pathlib import Path

from django.db import connection

_READ_ONLY = "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on'"


def unwritable() -> str:
    """Return what cannot be written: a path, or ``standby`` of PostgreSQL; empty if all can."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_READ_ONLY)
            return "standby" if cursor.fetchone()[0] else ""
        cursor.execute("PRAGMA database_list")
        name = cursor.fetchone()[2]
    # SQLite writes its log beside the file. A database in memory has none.
    wanted = (Path(name).parent, Path(name)) if name else ()
    return next((str(each) for each in wanted if not os.access(each, os.W_OK)), "")
