"""Which records of a replica changed when: kept by a relay beside its records, for those who follow it.

The list is whole from one revision on, its floor: whoever has applied the floor, or more, finds every record
that has changed since. It is written in the very transaction that writes the records. When it has grown too
long its oldest entries go, and the floor rises; after a snapshot it begins anew. If the replica was written
meanwhile by a follower that keeps no list, the two stand at different revisions: then it begins anew, too.

Entries that name one record several times all stay, so that whoever has come to the middle of the list may go
on there. An answer of the control plane names a record once, at its latest revision in it: so only where the
relay itself has stood is everything up to a revision in the list, and nobody is led to a place in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from retinue.replica.records import Change, Meta

#: Most entries that are kept: about 10 MB.
MOST_ENTRIES = 100_000
_HEADER = b"\x00list"
_ENTRY = b"\x00c"
_END = b"\x00d"
_REVISION_BYTES = 8


class Header(msgspec.Struct, frozen=True, array_like=True):
    """Where the list begins and ends: it is whole in ``[floor, upto]`` of ``epoch``."""

    epoch: int = 0
    floor: int = 0
    upto: int = 0
    count: int = 0


class Entry(NamedTuple):
    """That the record with the key ``stored`` (as the store has it) has changed in ``revision``."""

    revision: int
    stored: bytes


_decode = msgspec.msgpack.Decoder(Header).decode
_encode = msgspec.msgpack.Encoder().encode


def header(transaction: Any) -> Header | None:
    """Return what the list says of itself; ``None`` if there is none."""
    value = transaction.get(_HEADER)
    return None if value is None else _decode(value)


def begin(transaction: Any, meta: Meta) -> None:
    """Begin the list anew, for a replica at ``meta``: empty."""
    cursor = transaction.cursor()
    found = cursor.set_range(_ENTRY)
    while found and bytes(cursor.key()) < _END:
        found = cursor.delete()
    at = meta.snapshot_revision or meta.revision
    transaction.put(_HEADER, _encode(Header(meta.epoch, at, at, 0)))


def append(
    transaction: Any,
    before: Meta,
    changes: Iterable[tuple[Change, bytes]],
    meta: Meta,
    most: int = MOST_ENTRIES,
) -> None:
    """Add ``changes``, each with the key of its record, which lead a replica from ``before`` to ``meta``."""
    found = header(transaction)
    if (
        found is None
        or (found.epoch, found.upto) != (before.epoch, before.revision)
        or found.epoch != meta.epoch
    ):
        begin(transaction, before if before.epoch == meta.epoch else meta)
        found = header(transaction) or Header()
    count = found.count
    for change, stored in changes:
        count += transaction.put(_key(Entry(change.revision, stored)), b"", overwrite=False)
    floor = found.floor
    if count > most:
        count, floor = _trim(transaction, count, most, floor)
    transaction.put(_HEADER, _encode(Header(meta.epoch, floor, meta.revision, count)))


def _trim(transaction: Any, count: int, most: int, floor: int) -> tuple[int, int]:
    """Delete the oldest entries; return how many stay, and the floor that they leave."""
    cursor = transaction.cursor()
    found = cursor.set_range(_ENTRY)
    while found and count > most and bytes(cursor.key()) < _END:
        floor = max(floor, _entry(bytes(cursor.key())).revision)
        found = cursor.delete()
        count -= 1
    return count, floor


def after(transaction: Any, place: Entry, upto: int) -> Iterator[Entry]:
    """Yield the entries after ``place``, in the order of the list, up to the revision ``upto``."""
    cursor = transaction.cursor()
    start = _key(place)
    found = cursor.set_range(start)
    while found:
        key = bytes(cursor.key())
        if key >= _END or _entry(key).revision > upto:
            return
        if key != start:
            yield _entry(key)
        found = cursor.next()


def _key(entry: Entry) -> bytes:
    return _ENTRY + entry.revision.to_bytes(_REVISION_BYTES, "big") + entry.stored


def _entry(key: bytes) -> Entry:
    at = len(_ENTRY)
    return Entry(int.from_bytes(key[at : at + _REVISION_BYTES], "big"), key[at + _REVISION_BYTES :])
