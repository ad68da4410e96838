"""The tree that is kept as tiles, and the one form of JSON that is hashed."""

from __future__ import annotations

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from retinue import proof
from retinue.server.ledger import tree
from retinue.server.ledger.canonical import canonical
from retinue.server.ledger.entries import digest


class Memory:
    """Tiles in memory."""

    def __init__(self) -> None:
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.size = 0

    def read(self, level: int, n: int) -> bytes:
        return self.tiles.get((level, n), b"")

    def add(self, entries: list[bytes]) -> None:
        self.tiles |= tree.grown(self.size, entries, self.read)
        self.size += len(entries)


def _hashes(count: int) -> list[bytes]:
    return [digest(str(each)) for each in range(count)]


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 700, 65_535, 65_536, 65_540])
def test_tiles_give_the_root_and_the_proofs(size: int) -> None:
    """
    However the entries came, the root over the tiles is that over the leaves, and proofs from tiles hold.
    """
    entries, memory, rest = _hashes(size), Memory(), size
    for step in (1, 3, 250, 255, 256, 1000, size):
        memory.add(entries[memory.size : memory.size + min(step, rest)])
        rest = size - memory.size
    leaves = [proof.leaf_hash(each) for each in entries]
    root = proof.tree_hash(leaves)
    whole = tree.Tree(size, memory.read)

    assert root == whole.root
    for index in {0, size // 3, size // 2, size - 1}:
        assert proof.is_included(leaves[index], index, size, whole.inclusion(index), root)
    for old in {1, size // 3 or 1, size // 2 or 1, size}:
        old_root = proof.tree_hash(leaves[:old])
        assert old_root == tree.Tree(old, memory.read).root
        assert proof.is_consistent(old, old_root, size, root, whole.consistency(old))


@given(st.lists(st.sampled_from([1, 2, 3, 100, 255, 256, 257, 700]), max_size=7))
def test_an_end_grows_as_the_tree_does(steps: list[int]) -> None:
    """
    The end of a log is enough to grow it: root and tiles are those of the whole tree, also read anew from the tiles.
    """
    memory, end = Memory(), tree.End()
    for step in steps:
        new = [digest(f"{memory.size + each}") for each in range(step)]
        memory.add(new)
        end, changed = end.grown(new)
        assert memory.tiles == memory.tiles | changed
        assert tree.Tree(memory.size, memory.read).root == end.root
        assert end == tree.End.of(memory.size, memory.tiles)
        assert end.is_sound
        assert end.is_in(memory.tiles)


def test_an_end_is_not_sound_if_its_leaves_are_of_others() -> None:
    """
    An entry that is not the one that its leaf is the hash of is seen, and so is one too few.
    """
    end, _ = tree.End().grown(_hashes(3))
    entries = end.tiles[tree.ENTRIES, 0]
    for wrong in (entries[32:] + entries[:32], entries[:-32]):
        assert not tree.End(3, end.root, {**end.tiles, (tree.ENTRIES, 0): wrong}).is_sound


_plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(_plain)
def test_canonical_json_is_that_of_the_standard(value: object) -> None:
    """
    What JSON says in one way is written as another implementation of RFC 8785 writes it.
    """
    assert rfc8785.dumps(value).decode() == canonical(value)  # type: ignore[arg-type]


def test_what_json_says_in_many_ways_is_said_in_one() -> None:
    """
    Fractions, numbers beyond 2^53 and half characters become text, so that nothing stops the log.
    """
    assert '{"a":1,"b":"0.1","c":"9007199254740993","d":"\\\\ud800"}' == canonical(
        {"d": "\ud800", "c": 2**53 + 1, "b": 0.1, "a": 1.0}
    )
