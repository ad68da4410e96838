"""Which committed state a replica is in, read without a transaction.

LMDB writes the number of a commit into one of the first two pages of its file, in turns: after all else of
the commit, and before the commit returns. While the number in the page whose turn is next is what it was,
nothing was committed. That is one read of mapped memory, where a transaction costs a microsecond.

This only tells that a state is still the present one. Which state that is, and all that is read from it,
comes from a transaction. Where the file is not as expected, LMDB itself is asked each time.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import lmdb

#: How a page with a number begins after its header, and where the number stands (LMDB's data format 1).
_BEGINS, _FORMAT = struct.Struct("=II"), (0xBEEFC0DE, 1)
_BEGINS_AT, _NUMBER_AT = 16, 144
_WORD = 8


class Words(Protocol):
    """Words in memory, by their place. One that is what it was tells that nothing was committed since."""

    def __getitem__(self, place: int, /) -> int: ...


#: A place, what stands there while a state is the present one, and where to look.
Watched = tuple[Words, int, int]


class Numbers:
    """The numbers in the file of an environment that is open for reading."""

    def __init__(self, file: Path, page_bytes: int, begin: Callable[[], lmdb.Transaction]) -> None:
        self._asking = _Asking(begin)
        self._places = (_NUMBER_AT // _WORD, (page_bytes + _NUMBER_AT) // _WORD)
        self._map = _mapped(file, page_bytes)
        self._words = None if self._map is None else memoryview(self._map).cast("Q")

    def watched(self, number: int) -> Watched:
        """Return by what to see that ``number`` is still the present state; a transaction of it is open."""
        words = self._words
        if words is not None:
            own, other = self._places[number & 1], self._places[~number & 1]
            before = words[other]
            if words[own] == number and before < number:
                return words, other, before
        return self._asking, 0, number

    def close(self) -> None:
        """Let go of the file."""
        if self._words is not None and self._map is not None:
            self._words.release()
            self._map.close()
            self._words = None


class _Asking:
    """Asks LMDB for the number of the present state."""

    def __init__(self, begin: Callable[[], lmdb.Transaction]) -> None:
        self._begin = begin

    def __getitem__(self, place: int, /) -> int:
        try:
            transaction = self._begin()
        except lmdb.MapResizedError:
            return -1  # there was a commit, a large one
        try:
            number: int = transaction.id()
            return number
        finally:
            transaction.abort()


def _mapped(file: Path, page_bytes: int) -> mmap.mmap | None:
    """Map the two pages; ``None`` if they are not what they are taken for."""
    if struct.calcsize("P") != _WORD:
        return None
    try:
        with file.open("rb") as opened:
            found = mmap.mmap(opened.fileno(), 2 * page_bytes, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        return None
    if all(_BEGINS.unpack_from(found, page + _BEGINS_AT) == _FORMAT for page in (0, page_bytes)):
        return found
    found.close()
    return None
