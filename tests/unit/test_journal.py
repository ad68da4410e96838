"""The journal of a replica: what took access away stays noted, for days, whatever comes later."""

from __future__ import annotations

from pathlib import Path

from retinue.replica.records import Change, Kind, Meta, Noted, Origin
from retinue.replica.store import Store

_DAY_MS = 86_400_000


def _change(key: str, revision: int, *, reduces: bool, value: bytes | None = b"now") -> Change:
    origin = Origin(revision, f"m{revision}", revision * _DAY_MS, reduces)
    return Change(revision, Kind.CREDENTIAL, key, value, origin)


def _journal(store: Store) -> list[Noted]:
    found: list[Noted] = []
    after = b""
    while True:
        page, after = store.journal(after, 2)
        if not page:
            return found
        found += page


def test_a_change_that_took_access_away_stays_noted(tmp_path: Path) -> None:
    """
    What adds access later does not cover what took it away before; the record is the present one.
    """
    store = Store(tmp_path, writable=True)
    store.apply([_change("a", 1, reduces=True, value=b"then")], Meta(epoch=1))
    store.apply([_change("a", 2, reduces=False)], Meta(epoch=1))
    store.apply([_change("b", 3, reduces=False), _change("b", 4, reduces=True)], Meta(epoch=2))

    assert [("a", 1, 1, b"now"), ("b", 2, 4, b"now")] == [
        (line.key, line.epoch, line.origin.revision, line.value) for line in _journal(store)
    ]


def test_the_journal_is_read_in_pages_and_says_what_is_gone(tmp_path: Path) -> None:
    """
    Every line comes once, whatever the pages; a record that is gone has no value.
    """
    store = Store(tmp_path, writable=True)
    store.apply([_change(f"k{n}", n + 1, reduces=True, value=None) for n in range(5)], Meta(epoch=1))

    assert [(f"k{n}", None) for n in range(5)] == [(line.key, line.value) for line in _journal(store)]


def test_the_journal_is_no_record_and_is_kept_for_days(tmp_path: Path) -> None:
    """
    A line is invisible among the records, also to a snapshot that replaces all of them; it goes by its age,
    or with the history that it belongs to.
    """
    store = Store(tmp_path, writable=True)
    store.apply([_change(f"k{n}", n, reduces=True) for n in range(1, 6)], Meta(epoch=1))
    store.replace_range(None, None, [_change("k9", 9, reduces=True)], Meta(epoch=1))
    with store.snapshot() as snapshot:
        assert ["k9"] == [key for key, _ in snapshot.items(Kind.CREDENTIAL)]
    assert 6 == len(_journal(store))

    assert 2 == store.forget_journal(3 * _DAY_MS)
    assert ["k3", "k4", "k5", "k9"] == [line.key for line in _journal(store)]
    store.replace_range(None, None, [_change("k1", 1, reduces=True)], Meta(epoch=2), forget=True)
    assert [("k1", 2)] == [(line.key, line.epoch) for line in _journal(store)]
