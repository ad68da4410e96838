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
_NOTHING = b"\xc0" * (len(_FIELDS) - _DURATION - 1)
#: How an array of so many fields begins, and 64 and 32 bits without sign after it.
_ARRAY, _LONG, _WORD = b"\xdc" + len(_FIELDS).to_bytes(2, "big"), b"\xcf", b"\xce"
_START = _ARRAY + _LONG
_LONGEST_US = 0xFFFFFFFF


def prepared(entry: Entry) -> tuple[bytes, ...]:
    """Return the parts of an encoded entry that depend on the decision alone, for :func:`encoded`."""
    parts = [_encode(part) for part in msgspec.structs.astuple(entry)]
    return b"".join(parts[1:_USE]), b"".join(parts[_USE_END:_DURATION]) + _WORD


#: Method, path, address and client of a request that is not told.
NO_USE = _encode((None,) * (_USE_END - _USE))[1:]


def use(method: str | None, path: str | None, address: str | None, client: str | None) -> bytes:
    """Return the encoded part of an entry that is about the request. Raises ``UnicodeEncodeError``."""
    return _encode((method, path, address, client))[1:]


class Plain(msgspec.Struct, gc=False):
    """An entry, but for its two numbers, of a decision of whose request nothing is told.

    ``pack`` puts it together with them: see :func:`plain`.
    """

    pack: Callable[[bytes, int, bytes, int, bytes], bytes]
    facts: bytes

    def encoded(self, at_ms: int, duration_us: int) -> bytes:
        """Return the bytes of the entry, as :func:`encoded` does."""
        took = duration_us if duration_us < _LONGEST_US else _LONGEST_US
        return self.pack(_START, at_ms, self.facts, took, _NOTHING)


def plain(entry: Entry) -> Plain:
    """Prepare an entry of whose request nothing is told."""
    by_whom, between = prepared(entry)
    facts = by_whom + NO_USE + between
    return Plain(_packing(len(facts)), facts)


@lru_cache(maxsize=1024)
def _packing(size: int) -> Callable[..., bytes]:
    return Struct(f">{len(_START)}sQ{size}sI{len(_NOTHING)}s").pack


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
    took = duration_us if duration_us < _LONGEST_US else _LONGEST_US
    after = _NOTHING if route is None and status is None else _encode((None, route, status))[1:]
    told = (_START, at_ms.to_bytes(8, "big"), by_whom, use, between, took.to_bytes(4, "big"), after)
    return b"".join(told)
