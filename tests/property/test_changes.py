"""The list of changes that a relay keeps: whoever reads on from anywhere above its floor misses nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from retinue.replica import changes as listed
from retinue.replica.records import Change, Kind, Meta
from retinue.replica.store import Store

KEYS = st.sampled_from(["a", "b", "c", "d"])
BATCHES = st.lists(
    st.dictionaries(KEYS, st.none() | st.binary(min_size=1, max_size=2), max_size=3), max_size=8
)


@contextmanager
def _store(folder: Path, *, lists: bool = True) -> Iterator[Store]:
    store = Store(folder, writable=True, map_bytes=64 << 20, lists_changes=lists)
    try:
        yield store
    finally:
        store.close()


def _write(store: Store, meta: Meta, batch: dict[str, bytes | None]) -> Meta:
    revision = meta.revision + 2
    after = msgspec.structs.replace(meta, revision=revision, epoch=1)
    store.apply([Change(revision - 1, Kind.HOLDER, key, value) for key, value in batch.items()], after)
    return after


@given(BATCHES, BATCHES, BATCHES)
@settings(max_examples=40)
def test_who_reads_on_misses_nothing(
    first: list[dict[str, bytes | None]],
    unlisted: list[dict[str, bytes | None]],
    last: list[dict[str, bytes | None]],
) -> None:
    """
    From every revision that the replica has stood at and that is not below the floor, what the list names is all
    that has changed since; also when another follower has written meanwhile that keeps no list.
    """
    with tempfile.TemporaryDirectory() as name:
        folder, meta, touched = Path(name), Meta(epoch=1, complete=True), dict[int, set[str]]()
        for batches, lists in ((first, True), (unlisted, False), (last, True)):
            with _store(folder, lists=lists) as store:
                for batch in batches:
                    meta = _write(store, meta, batch)
                    touched[meta.revision] = set(batch)
        with _store(folder) as store:
            store.apply([], meta)
            with store.snapshot() as snapshot:
                header = snapshot.changed()
                assert header is not None
                assert meta.revision == header.upto
                for at in [0, *touched]:
                    if at >= header.floor:
                        named = {key for _, _, key in snapshot.changed_after(at, None)}
                        assert set().union(*(keys for when, keys in touched.items() if when > at)) == named


def test_the_list_has_an_end(tmp_path: Path) -> None:
    """
    The oldest entries go when there are too many, and the floor rises to where nothing is missing.
    """
    with _store(tmp_path) as store:
        meta = Meta(epoch=1, complete=True)
        for _ in range(30):
            meta = _write(store, meta, {"a": b"1", "b": b"2"})
        environment = store._environment
        with environment.begin(write=True) as transaction:
            more = msgspec.structs.replace(meta, revision=meta.revision + 2)
            listed.append(transaction, meta, [], more, most=10)
            header = listed.header(transaction)
            assert header is not None
            left = list(listed.after(transaction, listed.Entry(0, b""), more.revision))

        assert (10, 10) == (header.count, len(left))
        assert header.floor < min(entry.revision for entry in left)
        assert header.floor >= meta.revision - 12


def test_a_snapshot_begins_the_list_anew(tmp_path: Path) -> None:
    """
    What was listed before belongs to records that are gone.
    """
    with _store(tmp_path) as store:
        meta = _write(store, Meta(epoch=1, complete=True), {"a": b"1"})
        fresh = msgspec.structs.replace(meta, epoch=2, revision=9)
        store.replace_range(None, None, [], fresh)
        with store.snapshot() as snapshot:
            assert listed.Header(2, 9, 9, 0) == snapshot.changed()
            assert [] == list(snapshot.changed_after(0, None))
