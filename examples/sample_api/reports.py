"""The sample's own work: sales reports over a small SQLite data set. It knows nothing about callers."""

from __future__ import annotations

import csv
import io
import sqlite3
import threading
from typing import TypedDict

REGIONS = ("north", "south", "east", "west")
MONTHS = tuple(f"2026-{month:02}" for month in range(1, 13))


class Entry(TypedDict):
    """One booked amount; money is in cents."""

    id: int
    month: str
    region: str
    cents: int
    booked_by: str


class Total(TypedDict):
    """The sum of one month in cents, and how many entries it has."""

    month: str
    cents: int
    entries: int


class Invalid(Exception):
    """An entry breaks a rule; ``field`` is the one at fault."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(rule)
        self.field = field


class Book:
    """All entries, in memory. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.row_factory = sqlite3.Row
        self._database.execute(
            "CREATE TABLE entry (id INTEGER PRIMARY KEY, month TEXT NOT NULL, region TEXT NOT NULL,"
            " cents INTEGER NOT NULL, booked_by TEXT NOT NULL)"
        )
        rows = [
            (month, region, 100_00 * (place + 1) + 7_31 * (number + 1), "opening balance")
            for place, month in enumerate(MONTHS)
            for number, region in enumerate(REGIONS)
        ]
        self._database.executemany(
            "INSERT INTO entry (month, region, cents, booked_by) VALUES (?, ?, ?, ?)", rows
        )

    def entries(self, *, month: str | None = None) -> list[Entry]:
        """Return the entries, oldest month first; of one ``month`` (``2026-01``) if it is given."""
        with self._lock:
            rows = self._database.execute(
                "SELECT id, month, region, cents, booked_by FROM entry WHERE ?1 IS NULL OR month = ?1"
                " ORDER BY month, id",
                (month,),
            ).fetchall()
        return [_entry(row) for row in rows]

    def monthly(self) -> list[Total]:
        """Return the sum of each month."""
        with self._lock:
            rows = self._database.execute(
                "SELECT month, SUM(cents), COUNT(*) FROM entry GROUP BY month ORDER BY month"
            ).fetchall()
        return [Total(month=month, cents=cents, entries=entries) for month, cents, entries in rows]

    def as_csv(self) -> str:
        """Return all entries as CSV with a header line."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(Entry.__annotations__)
        writer.writerows(each.values() for each in self.entries())
        return text.getvalue()

    def book(self, document: object, booked_by: str) -> Entry:
        """Add an entry ``{month, region, cents}``. Raises :class:`Invalid` and writes nothing if wrong."""
        if not isinstance(document, dict):
            raise Invalid("", "an object with month, region and cents")
        month, region, cents = document.get("month"), document.get("region"), document.get("cents")
        if month not in MONTHS:
            raise Invalid("month", "a month of 2026, such as 2026-01")
        if region not in REGIONS:
            raise Invalid("region", f"one of {', '.join(REGIONS)}")
        if type(cents) is not int or abs(cents) > 10**12:
            raise Invalid("cents", "an integer number of cents")
        with self._lock:
            row = self._database.execute(
                "INSERT INTO entry (month, region, cents, booked_by) VALUES (?, ?, ?, ?)"
                " RETURNING id, month, region, cents, booked_by",
                (month, region, cents, booked_by),
            ).fetchone()
            self._database.commit()
        return _entry(row)


def _entry(row: sqlite3.Row) -> Entry:
    ident, month, region, cents, booked_by = tuple(row)
    return Entry(id=ident, month=month, region=region, cents=cents, booked_by=booked_by)
