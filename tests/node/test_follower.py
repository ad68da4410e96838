"""The follower against a control plane that does wrong: the replica is the truth, or it says that it is not.

A real follower process, real sockets. Whatever the control plane or the wire did, afterwards the replica
equals the truth, and nothing was acknowledged meanwhile that was not in the replica.
"""

from __future__ import annotations

import time

import pytest

from retinue.replica.records import Kind
from tests.node.control import Control, Exchange, Fault
from tests.node.faults import POLL_FAULTS, SNAPSHOT_FAULTS, WIRE_FAULTS, altered, dripping, drop, late, send
from tests.node.following import Home, Witness, following, settle
from tests.support import watch
from tests.support.processes import wait_for


@pytest.mark.parametrize("faults", [WIRE_FAULTS, POLL_FAULTS], ids=["wire", "poll"])
def test_a_bad_answer_to_a_poll_changes_nothing(
    home: Home, control: Control, faults: dict[str, Fault]
) -> None:
    """
    An answer that is late, cut, of another incarnation, of an older epoch, behind, or no answer at all leaves
    records and position as they were; the next good one is applied. Nothing is acknowledged that is not
    applied.
    """
    witness = Witness(home, control)
    changed = []
    with following(home, control):
        settle(home, control)
        pages = control.count("snapshot")
        for name, fault in faults.items():
            before, polls = _rows(home), control.count("poll")
            control.faults["poll"].extend([fault, fault])
            wait_for(name, lambda: control.count("poll") >= polls + 3)  # noqa: B023
            if _rows(home) != before:
                changed.append(name)
            control.change("p0001", name)
            settle(home, control)

    assert ([], []) == (changed, witness.false)
    assert pages == control.count("snapshot")


def _rows(home: Home) -> object:
    meta, rows = home.read()
    return meta.epoch, meta.revision, meta.complete, rows


@pytest.mark.parametrize("faults", [WIRE_FAULTS, SNAPSHOT_FAULTS], ids=["wire", "snapshot"])
def test_a_bad_page_of_a_snapshot_is_asked_for_again(
    home: Home, control: Control, faults: dict[str, Fault]
) -> None:
    """
    Whatever becomes of a page, of the first and of one in the middle, the replica ends as the truth, and is
    not complete before.
    """
    witness = Witness(home, control)
    with following(home, control):
        settle(home, control)
        for name, fault in faults.items():
            with control.lock:
                control.truth.epoch += 1
                control.truth.change("p0001", name)
                control.faults["snapshot"].extend([fault, send, send, fault, fault])
            settle(home, control)
            assert not control.faults["snapshot"], name

    assert [] == witness.false


def test_freshness_counts_from_the_sending(home: Home, control: Control) -> None:
    """
    However late an answer is, the replica is fresh from a moment before its poll was received; an answer
    without a lease makes nothing fresh.
    """
    with following(home, control):
        settle(home, control)
        control.faults["poll"].extend([late(0.7), altered(lease=False), drop])
        polls = control.count("poll")
        wait_for("the late answer", lambda: control.count("poll") >= polls + 2)
        received = control.received[-2].at_ns
        fresh_from = wait_for("freshness", lambda: home.meta().fresh_from_ns)
        wait_for("the poll without a lease is over", lambda: control.count("poll") >= polls + 3)
        after = home.meta()

    assert received - 2_000_000_000 < fresh_from <= received
    assert received - 2_000_000_000 < after.fresh_from_ns <= control.received[-1].at_ns


def test_a_dripping_answer_is_given_up(home: Home, control: Control) -> None:
    """
    A poll is given up after its wait and two seconds, also when bytes keep coming, and what came is ignored.
    """
    with following(home, control):
        settle(home, control)
        polls, seconds = control.count("poll"), watch.start()
        control.faults["poll"].append(dripping(120.0))
        wait_for("the next poll", lambda: control.count("poll") >= polls + 2)
        took = seconds()
        control.work()
        settle(home, control)

    assert took < 20


def test_a_lease_is_taken_at_the_head_only(home: Home, control: Control) -> None:
    """
    While there is more to apply, nothing is fresh, whatever the answer says.
    """
    with following(home, control):
        settle(home, control)
        before = home.meta()
        control.batch = 1
        polls = control.count("poll")
        control.faults["poll"].extend([altered(lease=True), altered(lease=True), drop, drop, drop, drop])
        began = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        control.work()
        wait_for("some polls", lambda: control.count("poll") >= polls + 4)
        held = home.meta()
        control.faults["poll"].clear()
        settle(home, control)

    assert before.revision < held.revision < control.truth.head
    assert held.fresh_from_ns <= began


def test_a_new_epoch_replaces_everything(home: Home, control: Control) -> None:
    """
    A control plane of a later epoch that knows less takes away what it does not know; meanwhile the replica
    is not complete. One that went back without a later epoch is loaded anew, too.
    """
    with following(home, control):
        settle(home, control)
        with control.lock:
            control.truth.epoch, control.truth.head = 2, 3
            control.truth.rows = {place: row for place, row in control.truth.rows.items() if "3" in place[1]}
            control.truth.log = []
        settle(home, control)
        with control.lock:
            control.truth.head = 2
        settle(home, control)


def test_an_epoch_that_changes_in_the_middle_of_a_snapshot(home: Home, control: Control) -> None:
    """
    A snapshot whose later pages are of a later epoch is begun anew: no page of the old one is left.
    """

    def raise_epoch() -> None:
        with control.lock:
            control.truth.epoch += 1
            control.truth.change("p0001")
            del control.truth.rows[Kind.PERMISSION, "p0000"]

    def again(exchange: Exchange) -> bool:
        raise_epoch()
        exchange.status, exchange.body = control.answer(exchange.request)
        return send(exchange)

    control.faults["snapshot"].extend([send, again, send, send, again])
    with following(home, control):
        settle(home, control)

    assert 3 == home.meta().epoch


def test_a_duplicate_answer_is_applied_once(home: Home, control: Control) -> None:
    """
    An answer that arrives twice on the wire ends the connection, not the replica: the second one belongs to
    no poll.
    """

    def twice(exchange: Exchange) -> bool:
        exchange.write(exchange.data() * 2)
        return True

    witness = Witness(home, control)
    with following(home, control):
        settle(home, control)
        control.faults["poll"].extend([twice] * 3)
        control.work()
        polls = control.count("poll")
        wait_for("some polls", lambda: control.count("poll") >= polls + 6)
        settle(home, control)

    assert [] == witness.false
