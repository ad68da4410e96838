"""What a relay knows of the nodes that follow it, and what follows from it: pure rules, and the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from retinue.node.children import (
    FORGOTTEN_SECONDS,
    MOST_CHILDREN,
    Applied,
    Children,
    Follower,
    Forgotten,
    Said,
    Superseded,
    TooMany,
)

LEASE_MS = 10
S = 1_000_000_000
LEASE_NS = LEASE_MS * 1_000_000
OWN = (1, 50)
OLD, NEW, NEWER = "a" * 32, "b" * 32, "c" * 32


@pytest.fixture
def children(tmp_path: Path) -> Children:
    """The children of a relay that begins."""
    return begun(tmp_path, inherits=False)


def begun(folder: Path, *, inherits: bool, now_ns: int = 0) -> Children:
    """Begin an incarnation of the relay whose replica is in ``folder``."""
    made = Children(folder)
    made.begin(inherits=inherits, now_ns=now_ns, lease_ms=LEASE_MS)
    return made


def lent(
    children: Children, name: str, incarnation: str = OLD, ends_ns: int = LEASE_NS + 1, **said: object
) -> None:
    """Hear a child and lend to it, so that it ends then."""
    row = children.hear(Said(name, name, incarnation, **said), 1)  # type: ignore[arg-type]
    children.lend(row, ends_ns - LEASE_NS, LEASE_MS)


def test_without_children_a_relay_confirms_what_it_has(children: Children) -> None:
    """
    Nobody follows: its own position, and nothing to wait for.
    """
    assert OWN == children.confirmed(OWN, 0)
    assert children.next_end_ns(0) is None


def test_nothing_is_confirmed_beyond_a_child_with_a_lease(children: Children) -> None:
    """
    The least that a child with a running lease has confirmed; another epoch counts as nothing. When what was lent
    has ended the child does not count, and a child that was lent nothing never does.
    """
    lent(children, "n1", confirmed=(1, 40), ends_ns=2 * S)
    lent(children, "n2", confirmed=(1, 45), ends_ns=3 * S)
    children.hear(Said("n3", "n3", OLD, confirmed=(1, 7)), 1)
    found = [children.confirmed(OWN, at * S) for at in (1, 2, 3)]

    assert [(1, 40), (1, 45), (1, 50)] == found
    assert (2 * S, 3 * S) == (children.next_end_ns(0), children.next_end_ns(2 * S))
    assert (2, 0) == children.confirmed((2, 3), S)


def test_a_relay_never_confirms_more_than_it_has(children: Children) -> None:
    """
    A child that has come further elsewhere changes nothing.
    """
    lent(children, "n1", confirmed=(1, 90))

    assert OWN == children.confirmed(OWN, 0)


def test_a_lease_that_was_lent_never_becomes_shorter(children: Children) -> None:
    """
    A later, shorter one does not end the one before: its holder may not have heard of it.
    """
    lent(children, "n1", ends_ns=5 * S)
    lent(children, "n1", ends_ns=2 * S)

    assert (1, 0) == children.confirmed(OWN, 4 * S)


def test_a_lease_grows_with_what_a_child_is_told(children: Children, tmp_path: Path) -> None:
    """
    A child that may have learned that leases are longer now is waited for that much longer, also by the next
    incarnation of the relay; one that was lent nothing is not.
    """
    row, other = (children.hear(Said(name, name, OLD), 1) for name in ("n1", "n2"))
    children.lend(row, S, LEASE_MS)
    children.tell(row, 3 * LEASE_MS)
    children.tell(other, 9 * LEASE_MS)
    found = [children.confirmed(OWN, S + 3 * LEASE_NS - 1), children.confirmed(OWN, S + 3 * LEASE_NS)]
    heir = begun(tmp_path, inherits=True, now_ns=2 * S)

    assert [(1, 0), OWN] == found
    assert 2 * S + 3 * LEASE_NS == heir.next_end_ns(2 * S)


def test_nothing_is_lent_to_whom_the_relay_has_forgotten(children: Children) -> None:
    """
    A poll that was heard before the relay began anew is not answered from what it is now.
    """
    row = children.hear(Said("n1", "n1", OLD), 1)
    children.begin(inherits=False, now_ns=2, lease_ms=LEASE_MS)

    with pytest.raises(Forgotten):
        children.check(row)


def test_a_successor_confirms_for_whom_it_retires(children: Children) -> None:
    """
    On the same replica, also over several; one that retires nobody confirms for itself alone.
    """
    lent(children, "n1", OLD)
    children.hear(Said("n1", "n1", NEW, OLD, (1, 30)), 1)
    children.hear(Said("n1", "n1", NEWER, NEW, (1, 50)), 1)
    lent(children, "n2", OLD)
    before = children.confirmed(OWN, 0)
    children.hear(Said("n2", "n2", NEW, "", (1, 50)), 1)

    assert (1, 0) == before == children.confirmed(OWN, 0)
    assert OWN == children.confirmed(OWN, LEASE_NS + 1)


def test_the_newest_follower_of_a_node_wins(children: Children, tmp_path: Path) -> None:
    """
    An older one is refused, also by the next incarnation of the relay.
    """
    held = children.hear(Said("n1", "n1", OLD), 1)
    children.hear(Said("n1", "n1", NEW), 2)
    with pytest.raises(Superseded):
        children.hear(Said("n1", "n1", OLD), 3)
    with pytest.raises(Superseded):
        children.check(held)
    with pytest.raises(Superseded):
        begun(tmp_path, inherits=True).hear(Said("n1", "n1", OLD), 4)
    assert [NEW] == [row.incarnation for row in children.present()]


def test_what_was_lent_is_inherited(children: Children, tmp_path: Path) -> None:
    """
    The next incarnation of the relay waits for each child of the one before: until it confirms, or for the
    longest lease that was ever lent, from its own beginning. One that inherits nothing knows nobody.
    """
    lent(children, "n1", confirmed=OWN)
    heir = begun(tmp_path, inherits=True, now_ns=S)
    found = [heir.confirmed(OWN, S), heir.confirmed(OWN, S + LEASE_NS - 1), heir.confirmed(OWN, S + LEASE_NS)]
    heir.hear(Said("n1", "n1", OLD, confirmed=OWN), S)

    assert [(1, 0), (1, 0), OWN] == found
    assert OWN == heir.confirmed(OWN, S)
    stranger = begun(tmp_path, inherits=False, now_ns=S)
    assert OWN == stranger.confirmed(OWN, S)
    assert OWN == begun(tmp_path, inherits=True, now_ns=S).confirmed(OWN, S)


def test_a_file_that_cannot_be_read_confirms_nothing(children: Children, tmp_path: Path) -> None:
    """
    Whom the one before has lent to is not known: nothing is confirmed before all of it must have ended.
    """
    lent(children, "n1")
    (tmp_path / "children").write_bytes(b"\xff not JSON")
    heir = begun(tmp_path, inherits=True, now_ns=S)

    assert (1, 0) == heir.confirmed(OWN, S + LEASE_NS - 1)
    assert S + LEASE_NS == heir.next_end_ns(S)
    assert OWN == heir.confirmed(OWN, S + LEASE_NS)


def test_nothing_is_lent_that_cannot_be_noted(children: Children, tmp_path: Path) -> None:
    """
    With a disk that takes nothing a child is not registered, and no longer lease is lent.
    """
    row = children.hear(Said("n1", "n1", OLD), 1)
    (tmp_path / "children.new").mkdir()
    with pytest.raises(OSError, match="children"):
        children.lend(row, S, LEASE_MS)
    with pytest.raises(OSError, match="children"):
        children.hear(Said("n1", "n1", NEW), 1)
    (tmp_path / "children.new").rmdir()

    assert 0 == row.ends_ns
    assert not children.hear(Said("n1", "n1", OLD), 1).is_superseded


def test_children_are_limited_and_forgotten(children: Children) -> None:
    """
    So many nodes follow one relay, and no more; one that is silent for a day makes room.
    """
    for number in range(MOST_CHILDREN):
        children.hear(Said(f"n{number}", f"n{number}", OLD), 1)
    with pytest.raises(TooMany):
        children.hear(Said("one more", "one more", OLD), 1)
    children.hear(Said("one more", "one more", OLD), FORGOTTEN_SECONDS * S + 1)

    assert ["one more"] == [row.name for row in children.present()]


def test_a_report_names_the_whole_tree(children: Children) -> None:
    """
    Children, and the nodes behind them under the name of the child that told of them; with how long ago.
    """
    below = Follower("leaf", "", NEW, Applied(1, 3), 500)
    children.hear(Said("id", "branch", OLD, confirmed=(1, 2), followers=(below,)), S)

    assert [
        Follower("branch", "", OLD, Applied(1, 2), 1_000),
        Follower("leaf", "branch", NEW, Applied(1, 3), 1_500),
    ] == children.report(2 * S, 10)
    assert 1 == len(children.report(2 * S, 1))
