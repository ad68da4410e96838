"""A Merkle tree (RFC 9162) that is kept as tiles, and the proofs that are read from them. Pure.

A tile holds up to 256 hashes of one level, as c2sp.org/tlog-tiles has them: a hash of level 1 stands over 256
leaves. Level -1 holds the entries; they are hashes too, and of one length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from retinue.proof import EMPTY, leaf_hash, node_hash, tree_hash

WIDTH, BITS, LENGTH = 256, 8, 32
ENTRIES = -1
#: Level and number of a tile.
TilePlace = tuple[int, int]
#: The data of a tile, by its level and number.
Read = Callable[[int, int], bytes]


def hashes(data: bytes) -> list[bytes]:
    """Return the hashes of a tile."""
    return [data[at : at + LENGTH] for at in range(0, len(data), LENGTH)]


def edge(size: int) -> list[TilePlace]:
    """Return level and number of the tiles that are not full in a tree of this size."""
    found = [(ENTRIES, size >> BITS)] if size % WIDTH else []
    level = 0
    while size >> (BITS * level):
        count = size >> (BITS * level)
        if count % WIDTH:
            found.append((level, count >> BITS))
        level += 1
    return found


def grown(size: int, entries: Iterable[bytes], read: Read) -> dict[TilePlace, bytes]:
    """Return the tiles that change when ``entries`` are added to a tree of this size."""
    new = list(entries)
    changed = _filled(ENTRIES, size, new, read)
    level, hashed = 0, [leaf_hash(each) for each in new]
    while hashed:
        count = size >> (BITS * level)
        tiles = _filled(level, count, hashed, read)
        hashed = [tree_hash(hashes(data)) for data in tiles.values() if len(data) == WIDTH * LENGTH]
        changed |= tiles
        level += 1
    return changed


def _filled(level: int, count: int, new: list[bytes], read: Read) -> dict[TilePlace, bytes]:
    """Return the tiles of a level that holds ``count`` hashes, with the new ones behind them."""
    number, width = count >> BITS, count % WIDTH
    data = (read(level, number)[: width * LENGTH] if width else b"") + b"".join(new)
    step = WIDTH * LENGTH
    return {(level, number + at // step): data[at : at + step] for at in range(0, len(data), step)}


class Tree:
    """The first ``size`` entries of a log."""

    def __init__(self, size: int, read: Read) -> None:
        self.size = size
        self._read = read

    @property
    def root(self) -> bytes:
        """The root over all of them."""
        return self._over(0, self.size) if self.size else EMPTY

    def inclusion(self, index: int) -> list[bytes]:
        """Return the proof that the entry at ``index`` is among them."""
        path, begin, end = [], 0, self.size
        while end - begin > 1:
            middle = begin + _split(end - begin)
            if index < middle:
                path.append(self._over(middle, end))
                end = middle
            else:
                path.append(self._over(begin, middle))
                begin = middle
        return path[::-1]

    def consistency(self, old: int) -> list[bytes]:
        """Return the proof that they begin with the first ``old`` ones."""
        if old in (0, self.size):
            return []
        path, begin, end = [], 0, self.size
        while old != end:
            middle = begin + _split(end - begin)
            if old <= middle:
                path.append(self._over(middle, end))
                end = middle
            else:
                path.append(self._over(begin, middle))
                begin = middle
        return ([self._over(begin, end)] if begin else []) + path[::-1]

    def _over(self, begin: int, end: int) -> bytes:
        """Return the root over a range that begins where a subtree does."""
        count = end - begin
        if count & (count - 1):
            middle = begin + _split(count)
            return node_hash(self._over(begin, middle), self._over(middle, end))
        level, rest = divmod(count.bit_length() - 1, BITS)
        first = begin >> (BITS * level)
        at = first % WIDTH * LENGTH
        return tree_hash(hashes(self._read(level, first >> BITS)[at : at + (LENGTH << rest)]))


def _split(count: int) -> int:
    """Return the greatest power of two below ``count``."""
    return 1 << (count - 1).bit_length() - 1


@dataclass(frozen=True, slots=True)
class End:
    """The end of a log, from which it grows: size, root, and the tiles that are not full."""

    size: int = 0
    root: bytes = EMPTY
    tiles: Mapping[TilePlace, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, size: int, tiles: Mapping[TilePlace, bytes]) -> End:
        """Return the end of a tree of this size; of its tiles, those of :func:`edge` are looked at."""
        kept = {place: tiles.get(place, b"")[: _width(size, place[0]) * LENGTH] for place in edge(size)}
        return cls(size, Tree(size, lambda *place: kept.get(place, b"")).root, kept)

    def is_in(self, tiles: Mapping[TilePlace, bytes]) -> bool:
        """Tell whether these tiles are those of this end, or more is in them."""
        return all(tiles.get(place, b"").startswith(data) for place, data in self.tiles.items())

    @property
    def is_sound(self) -> bool:
        """Whether the leaves are those of the entries, as far as the tiles tell."""
        entries, leaves = (hashes(self.tiles.get((level, self.size >> BITS), b"")) for level in (ENTRIES, 0))
        return [leaf_hash(each) for each in entries] == leaves

    def grown(self, entries: Iterable[bytes]) -> tuple[End, dict[TilePlace, bytes]]:
        """Return the end with ``entries`` added, and the tiles that change."""
        new = list(entries)
        changed = grown(self.size, new, lambda *place: self.tiles.get(place, b""))
        return End.of(self.size + len(new), {**self.tiles, **changed}), changed


def _width(size: int, level: int) -> int:
    """Return how many hashes of a level the tile at the edge holds."""
    return (size >> (BITS * max(level, 0))) % WIDTH
