"""The journal of a replica: which objects changed of late, and in which revision of which history.

It stands beside the records, in the same file and written in the same transaction. A control plane whose
database was restored has forgotten what its nodes have seen: from their journals it learns what took access
away since the backup, and does it again. A line names the object and where it changed; what its record says
is read when the journal is handed over, so a line is as short for a role of a thousand permissions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import lmdb
import msgspec

from retinue.replica.records import Change, Kind, Noted, Origin

#: Lines are kept for so long: as the change log of the control plane is, and a day more.
KEPT_MS = 8 * 86_400_000
#: Before every record, and before the meta record.
_PREFIX = b"\x00j"
_END = b"\x00k"


class _Line(msgspec.Struct, frozen=True, array_like=True, gc=False):
    epoch: int
    origin: Origin


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Line).decode


def _key(kind: Kind, key: str) -> bytes:
    return _PREFIX + f"{kind.value}/{key}".encode()


def note(transaction: lmdb.Transaction, epoch: int, changes: Iterable[Change]) -> None:
    """Note where objects changed. What took access away stays noted, whatever came later."""
    for change in changes:
        if change.origin is None:
            continue
        key = _key(change.kind, change.key)
        if change.origin.reduces or transaction.get(key) is None:
            transaction.put(key, _encode(_Line(epoch, change.origin)))


def lines(transaction: lmdb.Transaction, after: bytes = b"") -> Iterator[tuple[bytes, Noted]]:
    """Yield the lines behind the place ``after``, each with its own place; without the records."""
    cursor = transaction.cursor()
    found = cursor.set_range(after + b"\x00" if after else _PREFIX)
    while found and bytes(cursor.key()) < _END:
        place, line = bytes(cursor.key()), _decode(cursor.value())
        kind, _, key = place[len(_PREFIX) :].decode().partition("/")
        yield place, Noted(Kind(kind), key, line.epoch, line.origin)
        found = cursor.next()


def gone(
    transaction: lmdb.Transaction, after: tuple[Kind, str] | None, upto: tuple[Kind, str] | None, epoch: int
) -> Iterator[Noted]:
    """Yield the lines of ``epoch`` about objects in ``(after, upto]`` that took access away."""
    kinds = list(Kind)
    first = 0 if after is None else kinds.index(after[0])
    final = len(kinds) - 1 if upto is None else kinds.index(upto[0])
    for number in range(first, final + 1):
        kind = kinds[number]
        begin = _key(kind, after[1]) if after is not None and number == first else _key(kind, "")
        last = _key(kind, upto[1]) if upto is not None and number == final else _key(kind, "\x7f")
        for at, line in lines(transaction, begin):
            if at > last:
                break
            if line.epoch == epoch and line.origin.reduces:
                yield line


def origin(transaction: lmdb.Transaction, kind: Kind, key: str, epoch: int) -> Origin | None:
    """Return where an object changed in ``epoch``; ``None`` if no line of the journal says so."""
    value = transaction.get(_key(kind, key))
    line = None if value is None else _decode(value)
    return line.origin if line is not None and line.epoch == epoch else None


def forget(transaction: lmdb.Transaction, before_ms: int | None = None) -> int:
    """Delete the lines from before an instant, or all of them; return how many went."""
    old = [place for place, line in lines(transaction) if before_ms is None or line.origin.at_ms < before_ms]
    for place in old:
        transaction.delete(place)
    return len(old)
