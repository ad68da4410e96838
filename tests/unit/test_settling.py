"""When a change holds on a node: the rules, without a database."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from retinue.server.nodes.settling import Awaited, Outlook, Row, bound_ns, confirmed, outlook

CLOCK, S = "this clock", 1_000_000_000
NOW = 1_000 * S
ROW = Row("fra", "a", "", 1, 7, NOW, CLOCK)


def _awaited(*rows: Row, lease: float = 10) -> list[Awaited]:
    return outlook(rows, now_ns=NOW, clock_id=CLOCK, lease_seconds=lease).awaited


def test_a_lease_is_waited_for_with_its_margin() -> None:
    """A node decides for L; the control plane waits for L and the part that its clock may lose."""
    assert 10_500_000_000 == bound_ns(10)
    assert [Awaited("fra", "a", NOW + bound_ns(10))] == _awaited(ROW)
    assert [Awaited("fra", "a", NOW + 1)] == _awaited(replace(ROW, granted_at_ns=NOW - bound_ns(10) + 1))
    assert [] == _awaited(replace(ROW, granted_at_ns=NOW - bound_ns(10)))


def test_a_node_whose_lease_had_ended_is_named() -> None:
    """It decides nothing, so nobody waits for it; but who reads the receipt learns that it is away."""
    gone = replace(ROW, granted_at_ns=NOW - bound_ns(10))
    before = replace(gone, is_current=False)
    found = outlook([gone, before], now_ns=NOW, clock_id=CLOCK, lease_seconds=10)

    assert Outlook([], [Awaited("fra", "a", NOW)]) == found


def test_a_row_of_another_clock_counts_from_now() -> None:
    """What another boot, another host or a future instant says about the age of a lease is not believed."""
    full = [Awaited("fra", "a", NOW + bound_ns(10))]

    assert full == _awaited(replace(ROW, clock_id="another", granted_at_ns=0))
    assert full == _awaited(replace(ROW, granted_at_ns=NOW + S))


def test_only_the_same_epoch_confirms() -> None:
    """A revision of another history says nothing about this one."""
    waiting = _awaited(ROW)

    assert waiting == confirmed(waiting, [ROW], 1, 7)
    assert [] == confirmed(waiting, [ROW], 1, 8)
    assert [] == confirmed(waiting, [replace(ROW, epoch=2, revision=99)], 1, 7)


def test_a_successor_confirms_for_what_it_retired() -> None:
    """The successor's successor too; but nobody confirms for another node, or by having come alone."""
    waiting = _awaited(ROW)
    second = replace(ROW, incarnation="b", retires="a")
    third = replace(ROW, incarnation="c", retires="b", revision=8)

    assert [] == confirmed(waiting, [ROW, second], 1, 8)
    assert waiting == confirmed(waiting, [ROW, second, third], 1, 8)
    assert [] == confirmed(waiting, [ROW, replace(third, node="ams", retires="a")], 1, 8)
    assert [] == confirmed(waiting, [ROW, replace(third, retires="")], 1, 8)


ROWS = st.lists(
    st.builds(
        Row,
        st.sampled_from(["fra", "ams"]),
        st.sampled_from("abcd"),
        st.sampled_from(["", "a", "b", "c", "d"]),
        st.integers(1, 2),
        st.integers(0, 9),
        st.integers(NOW - 20 * S, NOW + S),
        st.sampled_from([CLOCK, "another"]),
    ),
    max_size=6,
    unique_by=lambda row: (row.node, row.incarnation),
)


@given(rows=ROWS, revision=st.integers(0, 9))
def test_what_is_confirmed_was_awaited_and_reached(rows: list[Row], revision: int) -> None:
    """Whatever the rows say of each other (circles too): the end is reached, and some row of the node has the revision."""
    waiting = _awaited(*rows)
    found = confirmed(waiting, rows, 1, revision)

    assert set(found) <= set(waiting)
    for each in found:
        assert any(row.node == each.node and row.epoch == 1 and row.revision >= revision for row in rows)
    for row in rows:
        if row.epoch == 1 and row.revision >= revision:
            assert not [
                each
                for each in waiting
                if (each.node, each.incarnation) == (row.node, row.incarnation) and each not in found
            ]
