"""A spool of numbered entries, and a process that writes one until it is killed.

``python -m tests.unit.spool FOLDER PROGRESS`` appends without end, and writes after each append how many
there are into the file ``PROGRESS``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from retinue.usage import Entry, Spool, SpoolTail

#: Small segments, so that a few dozen entries reach the next one.
SEGMENT = 8 << 10


def entry(number: int, *, allowed: bool = True, path: str = "/v1/reports") -> Entry:
    """The entry with this number, which stands in its revision and in its request id."""
    reason = None if allowed else "permission_missing"
    who = ("org", "sa", "etl", "service_account", "key", allowed, reason, "report:read")
    return Entry(1_700_000_000_000, *who, "GET", path, "192.0.2.1", "curl/8", number, 12, f"req-{number:08d}")


def opened(folder: Path, worker: str = "w", *, most: int = 1_000) -> Spool:
    """A new spool of small segments; all spools of the folder have at most ``most`` segments together."""
    return Spool(folder, worker, segment_bytes=SEGMENT, limit_bytes=most * SEGMENT)


def append(spool: Spool, added: Entry) -> bool:
    """Append after the worker's timer has ticked: small segments are full faster than any timer."""
    spool.prepare()
    return spool.append(added)


def written(folder: Path, count: int, worker: str = "w") -> Spool:
    """A spool of small segments with ``count`` entries."""
    spool = opened(folder, worker)
    assert all(append(spool, entry(number)) for number in range(count))
    return spool


def segments(spool: Spool) -> list[Path]:
    """The segments of a spool in their order."""
    return sorted(spool.path.glob("*.seg"))


def numbers(entries: list[Entry]) -> list[int]:
    """The numbers of entries."""
    return [each.revision for each in entries]


def read_all(tail: SpoolTail, limit: int = 7) -> list[int]:
    """The numbers of all entries that a reader finds, in its order."""
    found: list[int] = []
    while entries := tail.read(limit)[1]:
        found += numbers(entries)
    return found


def _write_until_killed(folder: Path, progress: Path) -> None:
    spool = opened(folder, most=100_000)
    descriptor = os.open(progress, os.O_WRONLY | os.O_CREAT, 0o600)
    number = 0
    while append(spool, entry(number, path="/" + "p" * (number % 97))):
        number += 1
        os.pwrite(descriptor, number.to_bytes(8, "big"), 0)


if __name__ == "__main__":
    _write_until_killed(Path(sys.argv[1]), Path(sys.argv[2]))
