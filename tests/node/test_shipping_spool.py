"""The reader of a spool: what is damaged is lost alone, and counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from retinue import usage
from retinue.usage import Entry, Spool, SpoolTail
from tests.unit.spool import entry


def test_an_entry_that_is_no_entry_is_a_gap(tmp_path: Path) -> None:
    """
    Bytes that were stored whole and mean nothing are lost alone, wherever they stand in a batch.
    """
    spool = Spool(tmp_path, "worker-0")
    tail = SpoolTail(spool.path)
    batches, lost = [], []
    written: list[Entry | bytes] = [entry(0), b"\xa3a\xff\xfe", b"\xc1", entry(3), entry(4), b"\xc1"]
    for number, data in enumerate(written):
        if isinstance(data, Entry):
            spool.append(data)
        else:
            _append_raw(spool, data)
        if number in (1, 2, 5):
            batches.append(tail.read(10))
            lost.append(tail.lost)
    spool.close()
    removed = tail.remove()

    assert [(0, [entry(0)]), (1, []), (3, [entry(3), entry(4)])] == batches
    assert ([0, 0, 2], True, 3) == (lost, removed, tail.lost)


def _append_raw(spool: Spool, data: bytes) -> None:
    """Append bytes as if they were an entry."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(usage, "_encode", lambda _entry: data)
        assert spool.append(entry(0))


def test_a_foreign_file_in_a_spool_is_passed_over(tmp_path: Path) -> None:
    """
    A file that is none of ours does not stop the reader.
    """
    spool = Spool(tmp_path, "worker-0")
    spool.append(entry(0))
    (spool.path / "copy of.seg").write_text("x")

    assert (0, [entry(0)]) == SpoolTail(spool.path).read(10)
