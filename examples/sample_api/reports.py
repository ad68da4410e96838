"""The work of the sample API: sales reports over a small SQLite data set."""

from __future__ import annotations

import csv
import io
import sqlite3

_REGIONS = ("north", "south", "east", "west")


class Reports:
    """A year of sales, made at start: always the same."""

    def __init__(self) -> None:
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.execute("CREATE TABLE sale (month TEXT, region TEXT, amount INTEGER)")
        rows = [
            (f"2026-{month:02d}", region, (month * 37 + place * 91) % 400 + 100)
            for month in range(1, 13)
            for place, region in enumerate(_REGIONS)
        ]
        self._database.executemany("INSERT INTO sale VALUES (?, ?, ?)", rows)

    def months(self) -> list[dict[str, object]]:
        """Return the total of each month."""
        rows = self._database.execute("SELECT month, sum(amount) FROM sale GROUP BY month ORDER BY month")
        return [{"month": month, "total": total} for month, total in rows]

    def month(self, month: str) -> list[dict[str, object]]:
        """Return one month by region; empty for a month without sales."""
        rows = self._database.execute(
            "SELECT region, amount FROM sale WHERE month = ? ORDER BY amount DESC", (month,)
        )
        return [{"region": region, "amount": amount} for region, amount in rows]

    def table(self) -> str:
        """Return everything as CSV."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(("month", "region", "amount"))
        writer.writerows(
            self._database.execute("SELECT month, region, amount FROM sale ORDER BY month, region")
        )
        return text.getvalue()
