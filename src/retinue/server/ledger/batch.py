"""What one append writes to the Merkle log: made before the writers' door is taken, in few statements.

The row of the log is what decides: it is changed only if it still says what the batch was made from, and
everything else is written after it, in the same transaction. So of several who made a batch one writes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from retinue.server.ledger.models import Log
from retinue.server.ledger.tree import End, TilePlace

# Another one that appends is not waited for: what it appends need not be appended.
_HOLD = "SELECT 1 FROM ledger_log WHERE id = %s FOR NO KEY UPDATE SKIP LOCKED"
_ROW = """
UPDATE ledger_log SET size = %s, root = %s, revision = %s, n = %s, signed_at = %s, checkpoint = %s
WHERE id = %s AND size = %s AND root = %s AND epoch = (SELECT epoch FROM ledger_head WHERE id = 1)
  AND NOT EXISTS (SELECT 1 FROM ledger_log other WHERE other.id > %s)
"""
_ENTRY = """
INSERT INTO ledger_entry (event, log_id, "index", organization, sequence, salt, personal)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
_TILE = """
INSERT INTO ledger_tile (log_id, level, n, data) VALUES (%s, %s, %s, %s)
ON CONFLICT (log_id, level, n) DO UPDATE SET data = excluded.data
"""
_TILES = "SELECT level, n, data FROM ledger_tile WHERE log_id = %s AND (level, n) IN (VALUES {})"
#: Event, index, organization, sequence, salt, hash of the personal part.
Row = tuple[str, int, str, int, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries for a log, the tiles with them, and the note that is signed over both."""

    log: Log
    end: End
    rows: list[Row]
    tiles: Mapping[TilePlace, bytes]
    #: Of the last event.
    revision: int
    n: int
    checkpoint: str
    at: datetime

    def write(self) -> bool:
        """Write it in the transaction that is open; tells whether the log was still what it was made from."""
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(_HOLD, [self.log.id])
                if cursor.fetchone() is None:
                    return False
            cursor.execute(_ROW, self._row())
            if cursor.rowcount != 1:
                return False
            cursor.executemany(_ENTRY, [(row[0], self.log.id, *row[1:]) for row in self.rows])
        put(self.log, self.tiles)
        return True

    def _row(self) -> list[Any]:
        signed_at = connection.ops.adapt_datetimefield_value(self.at)
        became: list[Any] = [self.end.size, self.end.root, self.revision, self.n, signed_at, self.checkpoint]
        return [*became, self.log.id, self.log.size, bytes(self.log.root), self.log.id]


def put(log: Log, tiles: Mapping[TilePlace, bytes]) -> None:
    """Write tiles, in place of those that are there."""
    with connection.cursor() as cursor:
        cursor.executemany(_TILE, [(log.id, *place, data) for place, data in tiles.items()])


def taken(log: Log, places: Sequence[TilePlace]) -> dict[TilePlace, bytes]:
    """Return those tiles of a log that are there."""
    if not places:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            _TILES.format(", ".join(["(%s, %s)"] * len(places))),
            [log.id, *(each for place in places for each in place)],
        )
        return {(level, n): bytes(data) for level, n, data in cursor.fetchall()}
