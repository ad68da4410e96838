"""What a replica on disk must do besides the suite that every replica passes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from retinue.replica.records import Kind, Meta
from retinue.replica.store import Store
from tests.unit.replicas import content, put


def test_what_was_applied_is_there_after_a_restart(tmp_path: Path) -> None:
    """Closed and opened again, by a reader, which cannot write."""
    store = Store(tmp_path, writable=True, map_bytes=16 << 20)
    store.apply([put(kind, "key", 4) for kind in Kind], Meta(1, 5, True))
    before = content(store)
    store.close()
    again = Store(tmp_path, map_bytes=16 << 20)

    assert before == content(again)
    with pytest.raises(Exception, match=r"[Rr]ead.only|denied"):
        again.apply([], Meta())
    again.close()


def test_a_replica_is_private(tmp_path: Path) -> None:
    """Digests are in it: nobody but its owner reads the files."""
    Store(tmp_path / "replica", writable=True, map_bytes=16 << 20).close()
    reached = [
        path.name
        for path in [tmp_path / "replica", *(tmp_path / "replica").iterdir()]
        if path.stat().st_mode & 0o077
    ]

    assert [] == reached


def test_a_reader_makes_no_replica(tmp_path: Path) -> None:
    """Opening what is not there, to read, is an error, and makes nothing."""
    with pytest.raises(Exception, match="No such file"):
        Store(tmp_path / "absent")

    assert not (tmp_path / "absent").exists()


def test_no_lease_goes_with_a_copy(tmp_path: Path) -> None:
    """A copied folder holds the same records and decides nothing: nobody acknowledges a change for it."""
    leased = Meta(1, 7, True, boot_id="this boot", fresh_from_ns=5)
    store = Store(tmp_path / "original", writable=True, map_bytes=1 << 20)
    store.apply([], leased)
    shutil.copytree(tmp_path / "original", tmp_path / "copy")
    copy = Store(tmp_path / "copy")
    with store.snapshot() as here, copy.snapshot() as there:
        original, copied = here.meta(), there.meta()
    store.close()
    copy.close()

    assert (5, 7) == (original.fresh_from_ns, original.revision)
    assert (0, 7) == (copied.fresh_from_ns, copied.revision)
