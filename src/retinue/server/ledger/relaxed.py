"""Transactions that do not wait for the disk, for what a power cut may take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def relaxed() -> Iterator[None]:
    """A transaction that on SQLite does not wait for the disk: everybody who writes would wait with it.

    It survives the end of this process, not a power cut; then rows are as they were a little before, in the
    order in which they were committed. On PostgreSQL a server process that is killed takes unflushed commits
    with it and nothing outside tells that it happened, so there a row is as durable as a change.
    """
    if connection.vendor == "postgresql":
        with transaction.atomic(durable=True):
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous = NORMAL")
        try:
            with transaction.atomic(durable=True):
                yield
        finally:
            cursor.execute("PRAGMA synchronous = FULL")
