"""Reads of the Merkle log: checkpoints, tiles, and the proof of an event for whoever may see the event."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Any

from retinue import proof
from retinue.server.errors import NotFound, Refused
from retinue.server.ledger import tree
from retinue.server.ledger.appending import newest, reader
from retinue.server.ledger.entries import Place, digest, personal_text, record
from retinue.server.ledger.models import AuditEvent, Entry, Log

__all__ = [
    "Log",
    "consistency",
    "entries",
    "entries_of",
    "event_proof",
    "get",
    "is_broken",
    "logs",
    "newest",
    "tile",
]

#: Entries in one answer.
MOST = 4096
_PART = re.compile(r"(entries|[0-5])/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)


def logs() -> list[Log]:
    """Return all logs, the first first."""
    return list(Log.objects.order_by("id"))


def is_broken() -> bool:
    """Tell whether anything was found that is not what was signed."""
    return any(Log.objects.values_list("trouble", flat=True))


def get(name: str) -> Log:
    """Return the log of this name. Raises :class:`NotFound`."""
    found = Log.objects.filter(name=name).first()
    if found is None:
        raise NotFound("log", name)
    return found


def tile(log: Log, path: str) -> bytes:
    """Return a tile by the end of its address (c2sp.org/tlog-tiles). Raises :class:`NotFound`.

    A bundle of entries has a length before each of them.
    """
    match = _PART.fullmatch(path)
    if match is None:
        raise NotFound("tile", path)
    level = tree.ENTRIES if match[1] == "entries" else int(match[1])
    n = int(match[2].replace("x", "").replace("/", ""))
    have = min(max((log.size >> (tree.BITS * max(level, 0))) - n * tree.WIDTH, 0), tree.WIDTH)
    width = int(match[3] or tree.WIDTH)
    if not width <= have or (match[3] and width == tree.WIDTH):
        raise NotFound("tile", path)
    data = reader(log)(level, n)[: width * tree.LENGTH]
    if level != tree.ENTRIES:
        return data
    return b"".join(len(each).to_bytes(2, "big") + each for each in tree.hashes(data))


def entries(log: Log, first: int) -> bytes:
    """Return at most ``MOST`` entries from ``first`` on, side by side."""
    if not 0 <= first <= log.size or first % tree.WIDTH:
        raise Refused("invalid_value", "a multiple of 256, and not beyond the end of the log", field="first")
    read = reader(log)
    numbers = range(first // tree.WIDTH, -(-min(log.size, first + MOST) // tree.WIDTH))
    data = b"".join(read(tree.ENTRIES, n) for n in numbers)
    return data[: (log.size - first) * tree.LENGTH]


def consistency(log: Log, old: int, new: int) -> list[bytes]:
    """Return the proof that the first ``new`` entries begin with the first ``old``."""
    if not 0 <= old <= new <= log.size:
        raise Refused("invalid_value", f"0 <= old <= new <= {log.size}", field="old")
    return tree.Tree(new, reader(log)).consistency(old)


def entries_of(events: Iterable[AuditEvent]) -> dict[str, dict[str, Any]]:
    """Return what is needed to check each event, by its id: place, record, personal part.

    Of an event that is not in the log yet there is nothing.
    """
    rows = {row.id: row for row in events}
    found = Entry.objects.filter(event__in=list(rows)).select_related("log")
    return {entry.event: _told(entry, rows[entry.event]) for entry in found}


def _told(entry: Entry, row: AuditEvent) -> dict[str, Any]:
    part = getattr(row, "personal", None)
    return {
        "log": entry.log.name,
        "index": entry.index,
        "sequence": entry.sequence,
        "record": record(row, Place(entry.sequence, bytes(entry.salt), bytes(entry.personal))),
        "personal": None if part is None else personal_text(bytes(part.salt), part.data),
    }


def event_proof(row: AuditEvent) -> dict[str, Any]:
    """Return the proof of an event under the newest checkpoint of its log (c2sp.org/tlog-proof).

    Refuses one that is not in the log yet.
    """
    entry = Entry.objects.filter(event=row.id).select_related("log").first()
    if entry is None:
        raise Refused("state_conflict", "the event is not in the log yet: it will be within a second")
    log = entry.log
    path = [
        base64.b64encode(each).decode() for each in tree.Tree(log.size, reader(log)).inclusion(entry.index)
    ]
    lines = ["c2sp.org/tlog-proof@v1", f"index {entry.index}", *path, "", log.checkpoint]
    told = _told(entry, row)
    leaf = proof.leaf_hash(digest(told["record"]))
    return {
        **told,
        "event": row.id,
        "size": log.size,
        "leaf": base64.b64encode(leaf).decode(),
        "hashes": path,
        "checkpoint": log.checkpoint,
        "proof": "\n".join(lines),
    }
