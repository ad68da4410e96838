"""What every replica must do: one suite for the port, run on each implementation."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from retinue.replica import records
from retinue.replica.records import Change, Kind, Meta
from tests.unit.replicas import (
    IMPLEMENTATIONS,
    Writable,
    content,
    expected,
    gone,
    put,
    rank,
    read,
    rows,
    sample,
)

META = Meta(1, 5, True, fresh_from_ns=7, control_time_ms=8)


@pytest.fixture(params=IMPLEMENTATIONS)
def replica(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Writable]:
    """An empty replica of each implementation."""
    with IMPLEMENTATIONS[request.param](tmp_path / "replica") as made:
        yield made


def test_nothing_was_ever_applied(replica: Writable) -> None:
    """A new replica holds nothing and says that it is not complete."""
    assert ({}, Meta()) == content(replica)
    assert not Meta().complete
    with replica.snapshot() as snapshot:
        assert {None} == {read(snapshot, kind, "x") for kind in Kind if kind is not Kind.SCHEMES}
        assert [] == list(snapshot.identity_keys())


@pytest.mark.parametrize("kind", Kind)
def test_a_record_is_read_as_it_was_written(replica: Writable, kind: Kind) -> None:
    """Each kind by its own reader; a change replaces it; its end is the end of it; other kinds are not touched."""
    others = [put(each, "key") for each in Kind if each is not kind]
    replica.apply(others, Meta())
    for changes in ([put(kind, "key", 1)], [put(kind, "key", 2)], [gone(kind, "key")], [put(kind, "key", 3)]):
        replica.apply(changes, META)
        held, meta = content(replica)
        value = changes[0].value

        assert META == meta
        assert value == held.pop((kind, "key"), None)
        assert {(each.kind, each.key): each.value for each in others} == held
        with replica.snapshot() as snapshot:
            assert expected(kind, "key", content(replica)[0]) == read(snapshot, kind, "key")


def test_the_last_change_of_an_object_wins(replica: Writable) -> None:
    """Within one batch, too: written, taken away and written again is there as last written."""
    replica.apply([put(Kind.HOLDER, "a", 1), gone(Kind.HOLDER, "a"), put(Kind.HOLDER, "a", 2)], META)
    replica.apply([put(Kind.HOLDER, "b", 1), gone(Kind.HOLDER, "b"), gone(Kind.HOLDER, "never")], META)

    assert {(Kind.HOLDER, "a"): put(Kind.HOLDER, "a", 2).value} == content(replica)[0]


def test_an_organization_is_found_by_id_and_by_handle(replica: Writable) -> None:
    """A handle leads to the organization that it names now; one that leads nowhere is unknown."""
    acme = records.Organization("org_1", "acme", "Acme", "enabled", ("bearer",))
    replica.apply(
        [
            Change(1, Kind.ORGANIZATION, "org_1", records.encode(acme)),
            Change(1, Kind.ORGANIZATION_HANDLE, "acme", records.encode(records.OrganizationHandle("org_1"))),
            Change(1, Kind.ORGANIZATION_HANDLE, "lost", records.encode(records.OrganizationHandle("org_2"))),
        ],
        META,
    )
    with replica.snapshot() as snapshot:
        found = [snapshot.organization("org_1"), snapshot.organization_by_handle("acme")]

        assert [acme, acme] == found
        assert snapshot.organization("acme") is None
        assert snapshot.organization_by_handle("org_1") is None
        assert snapshot.organization_by_handle("lost") is None


def test_the_longest_lease_is_that_of_the_organizations_that_are_there(replica: Writable) -> None:
    """Of all organizations, as they are in this snapshot; without one there is none."""
    found = []
    for change in (
        put(Kind.HOLDER, "a", 9),
        put(Kind.ORGANIZATION, "a", 3_000),
        put(Kind.ORGANIZATION, "b", 9_000),
        put(Kind.ORGANIZATION, "b", 4_000),
        gone(Kind.ORGANIZATION, "b"),
        gone(Kind.ORGANIZATION, "a"),
    ):
        replica.apply([change], META)
        with replica.snapshot() as snapshot:
            found += [snapshot.longest_lease_ms(), snapshot.longest_lease_ms()]

    assert [0, 0, 3_000, 3_000, 9_000, 9_000, 4_000, 4_000, 3_000, 3_000, 0, 0] == found


FOREIGN = [
    "",
    "x" * 511,
    "x" * 512,
    "x" * 100_000,
    "\ud800",
    "é" * 400,
    "a\0b",
    "\0meta",
    "\U0010ffff",
]


def test_the_longest_names_are_found(replica: Writable) -> None:
    """A permission or handle of the greatest length is found, and the next longer name is not."""
    keys = ["x" * 128, "x" * 127, "y" * 255]
    replica.apply([put(kind, key) for kind in Kind for key in keys], META)
    held = content(replica)[0]
    with replica.snapshot() as snapshot:
        for kind in Kind:
            for key in (*keys, "x" * 126, "x" * 129, "y" * 254, "y" * 256):
                assert expected(kind, key, held) == read(snapshot, kind, key)


@pytest.mark.parametrize("name", FOREIGN, ids=range(len(FOREIGN)))
def test_names_that_a_caller_made_up_are_not_found(replica: Writable, name: str) -> None:
    """Any length, any text: what a question names is looked for, never an error, and never another record."""
    replica.apply([put(kind, key) for kind in Kind for key in ("x", "x" * 100, "meta", "acme")], META)
    with replica.snapshot() as snapshot:
        assert snapshot.permission_index(name) is None
        assert snapshot.organization(name) is None
        assert snapshot.organization_by_handle(name) is None


def test_keys_come_in_the_order_of_their_bytes(replica: Writable) -> None:
    """Order of kinds, then of bytes: the pages of a snapshot rely on it."""
    keys = ["b", "a", "a0", "a-", "a_", "aZ", "Z", "~", "0", "a" * 200]
    replica.apply([put(kind, key) for kind in reversed(Kind) for key in keys], META)
    found = list(content(replica)[0])

    assert sorted(found, key=rank) == found
    assert len(Kind) * len(keys) == len(found)


# --- ranges ------------------------------------------------------------------------------------------

KEYS = ["a", "aa", "b", "c"]


@pytest.mark.parametrize(
    "after", [None, (Kind.ORGANIZATION, "aa"), (Kind.ORGANIZATION, "ab"), (Kind.HOLDER, "c")]
)
@pytest.mark.parametrize(
    "upto", [None, (Kind.HOLDER, "aa"), (Kind.HOLDER, "c"), (Kind.PRINCIPAL, "0"), (Kind.ORGANIZATION, "b")]
)
def test_a_range_is_replaced_exactly(
    replica: Writable, after: tuple[Kind, str] | None, upto: tuple[Kind, str] | None
) -> None:
    """What lies in ``(after, upto]`` is what the page says; what lies outside it stays, at both ends to the key."""
    replica.apply([put(kind, key, 1) for kind in Kind for key in KEYS], Meta())
    before = content(replica)[0]
    new = [put(kind, key, 2) for kind in Kind for key in ("aa", "b", "bb")]
    inside = [
        each
        for each in new
        if (after is None or rank((each.kind, each.key)) > rank(after))
        and (upto is None or rank((each.kind, each.key)) <= rank(upto))
    ]
    replica.replace_range(after, upto, inside, META)
    left = {
        place: value
        for place, value in before.items()
        if (after is not None and rank(place) <= rank(after))
        or (upto is not None and rank(place) > rank(upto))
    }

    assert (left | {(each.kind, each.key): each.value for each in inside}, META) == content(replica)


def test_an_empty_page_empties_the_range(replica: Writable) -> None:
    """A snapshot without records leaves none; the position is written all the same."""
    replica.apply([put(kind, key) for kind in Kind for key in KEYS], Meta())
    replica.replace_range(None, None, [], META)

    assert ({}, META) == content(replica)


# --- all or nothing, and one consistent view -----------------------------------------------------------


class Broken(Exception):
    """What ends a batch in the middle."""


def failing(*changes: Change) -> Iterator[Change]:
    """A batch that fails after these changes."""
    yield from changes
    raise Broken


def test_a_batch_that_fails_leaves_nothing(replica: Writable) -> None:
    """An error in the middle of a batch or page: no row and no position of it is there."""
    replica.apply([put(Kind.HOLDER, "a", 1)], META)
    before = content(replica)
    later = Meta(1, 6, True)
    with pytest.raises(Broken):
        replica.apply(
            failing(put(Kind.HOLDER, "a", 2), put(Kind.HOLDER, "b", 1), gone(Kind.HOLDER, "a")), later
        )
    with pytest.raises(Broken):
        replica.replace_range(None, None, failing(put(Kind.HOLDER, "c", 1)), later)

    assert before == content(replica)


def test_a_snapshot_that_is_held_does_not_change(replica: Writable) -> None:
    """Whatever is written meanwhile, each open snapshot shows the one state in which it was opened, read late too."""
    states = []
    opened = []
    for number in range(5):
        replica.apply(
            [put(kind, "key", number) for kind in Kind] + [put(Kind.HOLDER, f"h{number}")], Meta(1, number)
        )
        states.append(content(replica))
        opened.append(replica.snapshot())
    views = [each.__enter__() for each in opened]
    replica.replace_range(None, None, [], Meta(2, 0))

    for (held, meta), view in zip(states, views, strict=True):
        assert (held, meta) == (rows(view), view.meta())
        for kind in Kind:
            assert expected(kind, "key", held) == read(view, kind, "key")
    for each in opened:
        each.__exit__(None, None, None)
    assert ({}, Meta(2, 0)) == content(replica)


def test_a_new_snapshot_sees_the_last_commit(replica: Writable) -> None:
    """After each write the next snapshot reads all kinds anew: nothing of an earlier one is remembered."""
    for number in range(50):
        replica.apply([put(kind, "key", number) for kind in Kind], Meta(1, number))
        with replica.snapshot() as snapshot:
            assert number == snapshot.permission_index("key")
            assert number == snapshot.meta().revision
            assert [sample(kind, "key", number) for kind in (Kind.ORGANIZATION, Kind.HOLDER)] == [
                snapshot.organization("key"),
                snapshot.holder("key"),
            ]
        replica.apply([gone(kind, "key") for kind in Kind], Meta(1, number))
        with replica.snapshot() as snapshot:
            assert {None} == {read(snapshot, kind, "key") for kind in Kind if kind is not Kind.SCHEMES}


def test_many_records_of_a_kind(replica: Writable) -> None:
    """Thousands of roles and organizations, read over and over in one snapshot, are each read right."""
    kinds = (Kind.HOLDER, Kind.ORGANIZATION, Kind.PERMISSION)
    replica.apply([put(kind, f"k{number}", number) for kind in kinds for number in range(5_000)], META)
    held = content(replica)[0]
    with replica.snapshot() as snapshot:
        for _ in range(2):
            for kind in kinds:
                wrong = [
                    number
                    for number in range(5_000)
                    if read(snapshot, kind, f"k{number}") != expected(kind, f"k{number}", held)
                ]
                assert [] == wrong


def test_readers_in_threads_see_whole_states(replica: Writable) -> None:
    """While one thread writes, each reader's snapshot holds records and position of one commit."""
    replica.apply([put(kind, "key", 0) for kind in Kind], Meta(1, 0))
    torn: list[object] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            with replica.snapshot() as snapshot:
                number = snapshot.meta().revision
                seen = (snapshot.permission_index("key"), snapshot.holder("key"), snapshot.credential("key"))
            if seen != (number, sample(Kind.HOLDER, "key", number), sample(Kind.CREDENTIAL, "key", number)):
                torn.append((number, seen))

    readers = [threading.Thread(target=look) for _ in range(3)]
    for each in readers:
        each.start()
    for number in range(150):
        replica.apply([put(kind, "key", number) for kind in Kind], Meta(1, number))
    ended.set()
    for each in readers:
        each.join()

    assert [] == torn
