"""The request log's spool: what was appended is read, once and in order, or counted as missing."""

from __future__ import annotations

import resource
import stat
from pathlib import Path

import msgspec
import pytest

from retinue.prepared_entries import NO_USE, encoded, prepared, use
from retinue.usage import MAX_ENTRY_BYTES, Spool, SpoolTail, spools
from tests.support.processes import wait_for
from tests.unit.spool import SEGMENT, append, entry, numbers, opened, read_all, segments, written


def test_entries_are_read_as_they_were_written(tmp_path: Path) -> None:
    """Every field of every entry, in order, over several segments; the first sequence of each batch is told."""
    spool = written(tmp_path, 300)
    tail = SpoolTail(spool.path)
    first, start = tail.read(100)
    second, rest = tail.read(1_000)

    assert len(segments(spool)) > 3
    assert (0, 100, 300, 300) == (first, second, tail.next, spool.sequence)
    assert [entry(number) for number in range(300)] == start + rest
    assert (300, []) == tail.read(10)
    assert 0 == tail.lost
    spool.close()


@pytest.mark.parametrize("told", [True, False])
def test_an_entry_that_was_prepared_is_the_same(tmp_path: Path, told: bool) -> None:
    """Its parts put together; numbers of any length, also one that is too large; a request that is told or not."""
    spool = opened(tmp_path)
    request = ("GET", "/reports/ä", "192.0.2.7", "curl/8") if told else (None,) * 4
    route, status = ("/reports/{id}", 204) if told else (None, None)
    expected = []
    for number, (at_ms, duration_us) in enumerate([(0, 0), (1, 127), (1 << 40, 70_000), (1 << 62, 1 << 40)]):
        whole = msgspec.structs.replace(
            entry(number), at_ms=at_ms, duration_us=duration_us, request_id=None, route=route, status=status,
            **dict(zip(("method", "path", "address", "client"), request, strict=True)),
        )  # fmt: skip
        data = encoded(at_ms, duration_us, prepared(entry(number)), use(*request), route, status)
        assert spool.append_encoded(data, whole.allowed)
        expected.append(msgspec.structs.replace(whole, duration_us=min(duration_us, 0xFFFFFFFF)))

    assert (0, expected) == SpoolTail(spool.path).read(10)
    assert NO_USE == use(None, None, None, None)
    spool.close()


def test_a_reader_that_is_ahead_waits(tmp_path: Path) -> None:
    """Before the first entry, and at the end of what there is, a reader finds nothing; then it goes on."""
    assert [] == spools(tmp_path / "absent")
    spool = opened(tmp_path)
    tail = SpoolTail(spools(tmp_path)[0])

    assert (0, []) == tail.read(10)
    for number in range(200):
        append(spool, entry(number))
        assert (number, [entry(number)]) == tail.read(10)
        assert (number + 1, []) == tail.read(10)
    spool.close()


def test_a_reader_in_the_middle_of_a_birth(tmp_path: Path) -> None:
    """A spool's folder without anything in it yet is neither read nor taken for dead."""
    (tmp_path / "w-1").mkdir()
    tail = SpoolTail(tmp_path / "w-1")

    assert (0, []) == tail.read(10)
    assert not tail.writer_gone()
    assert not tail.remove()


@pytest.mark.parametrize("place", [0, 1, 50, 149, 150])
def test_another_reader_goes_on_anywhere(tmp_path: Path, place: int) -> None:
    """A follower that starts again at any sequence finds exactly the rest."""
    spool = written(tmp_path, 150)
    tail = SpoolTail(spool.path)
    tail.seek(place)

    assert list(range(place, 150)) == read_all(tail)
    tail.seek(0)
    assert list(range(150)) == read_all(tail)
    spool.close()


def test_only_what_was_shipped_is_deleted(tmp_path: Path) -> None:
    """A segment goes when all its entries are shipped; the rest is read after it as before."""
    spool = written(tmp_path, 200)
    tail = SpoolTail(spool.path)
    before = segments(spool)
    for shipped in range(201):
        tail.release(shipped)
        again = SpoolTail(spool.path)
        again.seek(shipped)
        assert list(range(shipped, 200)) == read_all(again)

    assert before[-1:] == segments(spool)
    spool.append(entry(200))
    tail.seek(200)
    assert [200] == read_all(tail)
    spool.close()


def test_a_spool_is_removed_when_its_writer_has_ended(tmp_path: Path) -> None:
    """While the writer lives its spool stays; afterwards it can be read to its end and removed."""
    spool = written(tmp_path, 20)
    tail = SpoolTail(spool.path)

    assert not tail.writer_gone()
    assert not tail.remove()
    spool.close()
    assert tail.writer_gone()
    assert list(range(20)) == read_all(tail)
    assert tail.remove()
    assert [] == spools(tmp_path)


def test_each_start_is_a_new_spool(tmp_path: Path) -> None:
    """Two writers of one name do not meet; each is read by itself."""
    first, second = written(tmp_path, 5), written(tmp_path, 8)

    assert {first.name, second.name} == {path.name for path in spools(tmp_path)}
    assert [5, 8] == sorted(len(read_all(SpoolTail(path))) for path in spools(tmp_path))
    first.close()
    second.close()


def test_a_spool_is_private(tmp_path: Path) -> None:
    """It tells who called what: nobody but its owner reads it."""
    spool = written(tmp_path / "spool", 100)
    reached = [
        path
        for path in [tmp_path / "spool", *(tmp_path / "spool").rglob("*")]
        if stat.S_IMODE(path.stat().st_mode) & 0o077
    ]

    assert [] == reached
    spool.close()


# --- entries that do not fit -------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 100, 4_000, MAX_ENTRY_BYTES - 250, MAX_ENTRY_BYTES, 1 << 20])
def test_a_long_entry_is_cut_not_lost(tmp_path: Path, length: int) -> None:
    """Whatever a client sends as path, the entry is there, within the bound, with its other fields whole."""
    spool = Spool(tmp_path, "w", segment_bytes=64 << 10)
    assert spool.append(entry(0, path="/" + "p" * length))
    assert spool.append(entry(1))
    found = SpoolTail(spool.path).read(10)[1]

    assert [0, 1] == numbers(found)
    assert len(msgspec.msgpack.encode(found[0])) <= MAX_ENTRY_BYTES
    assert ("/" + "p" * length).startswith(found[0].path or "?")
    assert entry(0, path="") == msgspec.structs.replace(found[0], path="")
    spool.close()


def test_text_that_is_not_unicode_is_mended(tmp_path: Path) -> None:
    """A lone surrogate (from bytes that were no UTF-8) is replaced; nothing else of the entry changes."""
    spool = written(tmp_path, 0)
    assert spool.append(entry(0, path="/a\ud800b"))
    found = SpoolTail(spool.path).read(10)[1]

    assert [entry(0, path="/a?b")] == found
    spool.close()


# --- bounds ------------------------------------------------------------------------------------------


def fill(spool: Spool, *, allowed: bool) -> list[int]:
    """Append until the spool refuses; returns the numbers of what it took."""
    taken: list[int] = []
    while append(spool, entry(1_000 * (not allowed) + len(taken), allowed=allowed)):
        taken.append(1_000 * (not allowed) + len(taken))
    return taken


def used(folder: Path) -> int:
    """The bytes of all files of all spools in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_disk_use_is_bounded_and_losses_are_counted(tmp_path: Path) -> None:
    """Allowed decisions stop first, denied ones at the bound; what was taken is read, the rest is counted."""
    spool = opened(tmp_path, most=8)
    allowed = fill(spool, allowed=True)
    at_first_refusal = used(tmp_path)
    denied = fill(spool, allowed=False)
    for number in range(10):
        assert not spool.append(entry(number, allowed=number < 4))

    assert at_first_refusal <= used(tmp_path) <= 8 * SEGMENT
    assert len(denied) > 20
    assert (1 + 4, 1 + 6) == (spool.dropped_allowed, spool.dropped_denied)
    assert allowed + denied == read_all(SpoolTail(spool.path))
    spool.close()


def test_what_was_shipped_makes_room(tmp_path: Path) -> None:
    """After a full disk the log goes on by itself, with the next sequence: no gap, nothing twice."""
    spool = opened(tmp_path, most=8)
    taken = fill(spool, allowed=True) + fill(spool, allowed=False)
    tail = SpoolTail(spool.path)
    assert taken == read_all(tail)
    tail.release(tail.next)
    wait_for("allowed decisions are logged again", lambda: spool.append(entry(9_999)))
    first, found = tail.read(10)

    assert (len(taken), [9_999]) == (first, numbers(found))
    assert 0 == tail.lost
    spool.close()


def test_the_bound_holds_for_all_spools_together(tmp_path: Path) -> None:
    """Spools that nobody ships count, also those of dead workers."""
    for _ in range(3):
        opened(tmp_path, "dead", most=8).close()
    old = opened(tmp_path, "old", most=8)
    fill(old, allowed=False)
    old.close()
    spool = opened(tmp_path, "new", most=8)

    assert not spool.append(entry(0))
    assert not spool.append(entry(1, allowed=False))
    assert (1, 1) == (spool.dropped_allowed, spool.dropped_denied)
    assert used(tmp_path) <= 8 * SEGMENT
    spool.close()


def test_a_full_disk_is_no_error(tmp_path: Path) -> None:
    """Where the system gives no space an entry is counted as dropped; when it does again, the log goes on."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SEGMENT - 1, before[1]))
    try:
        spool = opened(tmp_path)
        refused = [spool.append(entry(0)), spool.append(entry(1, allowed=False))]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert [False, False] == refused
    assert (1, 1) == (spool.dropped_allowed, spool.dropped_denied)
    wait_for("there is space again", lambda: spool.append(entry(2)))
    assert [2] == read_all(SpoolTail(spool.path))
    spool.close()
