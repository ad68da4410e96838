"""The bytes of an entry of the request log, put together from parts that were prepared.

They are those of :class:`retinue.usage.Entry` in msgpack, but for the length of two numbers: the instant has
64 bits always, the duration 32.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from struct import Struct

import msgspec

from retinue.usage import Entry

_encode = msgspec.msgpack.Encoder().encode
_FIELDS = Entry.__struct_fields__
_USE, _USE_END = _FIELDS.index("method"), _FIELDS.index("client") + 1
_DURATION = _FIELDS.index("duration_us")
#: Neither the id of a denial nor a route nor a status.
NOTHING = b"\xc0" * (len(_FIELDS) - _DURATION - 1)
#: How an array of so many fields begins, and 64 and 32 bits without sign after it.
_ARRAY, _LONG, _WORD = b"\xdc" + len(_FIELDS).to_bytes(2, "big"), b"\xcf", b"\xce"
START = _ARRAY + _LONG
LONGEST_US = 0xFFFFFFFF


def prepared(entry: Entry) -> tuple[bytes, ...]:
    """Return the parts of an encoded entry that depend on the decision alone, for :func:`encoded`."""
    parts = [_encode(part) for part in msgspec.structs.astuple(entry)]
    return b"".join(parts[1:_USE]), b"".join(parts[_USE_END:_DURATION]) + _WORD


#: Method, path, address and client of a request that is not told.
NO_USE = _encode((None,) * (_USE_END - _USE))[1:]


def use(method: str | None, path: str | None, address: str | None, client: str | None) -> bytes:
    """Return the encoded part of an entry that is about the request. Raises ``UnicodeEncodeError``."""
    return _encode((method, path, address, client))[1:]


#: Puts an entry together of its parts: how it starts, when it was, what is told, how long it took, the end.
Pack = Callable[[bytes, int, bytes, int, bytes], bytes]


def plain(entry: Entry) -> tuple[Pack, bytes]:
    """Prepare an entry of whose request nothing is told: what packs it, and what is told."""
    by_whom, between = prepared(entry)
    facts = by_whom + NO_USE + between
    return _packing(len(facts)), facts


def packed(pack: Pack, facts: bytes, at_ms: int, duration_us: int) -> bytes:
    """Return the bytes of an entry that :func:`plain` has prepared, as :func:`encoded` does."""
    return pack(START, at_ms, facts, duration_us if duration_us < LONGEST_US else LONGEST_US, NOTHING)


@lru_cache(maxsize=1024)
def _packing(size: int) -> Pack:
    return Struct(f">{len(START)}sQ{size}sI{len(NOTHING)}s").pack


def encoded(
    at_ms: int,
    duration_us: int,
    prepared: tuple[bytes, ...],
    use: bytes = NO_USE,
    route: str | None = None,
    status: int | None = None,
) -> bytes:
    """Return the bytes of an entry that was prepared: equal to another's, but for the length of numbers."""
    by_whom, between = prepared
    took = duration_us if duration_us < LONGEST_US else LONGEST_US
    after = NOTHING if route is None and status is None else _encode((None, route, status))[1:]
    told = (START, at_ms.to_bytes(8, "big"), by_whom, use, between, took.to_bytes(4, "big"), after)
    return b"".join(told)
