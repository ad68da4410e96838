"""Receipts: complete when each node has confirmed or its lease has ended; never lost, never complete too early."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from retinue.replica.lease import boot_clock_ns
from retinue.server.errors import Refused
from retinue.server.ledger import queries as ledger
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.nodes import actions, freshness, leases, receipts, wake
from retinue.server.nodes.models import Lease
from retinue.server.nodes.receipts import Receipt
from retinue.server.nodes.rules import PollRequest
from retinue.server.nodes.settling import bound_ns
from tests.storage.estate import Estate, Follower, Task
from tests.support import watch
from tests.support.processes import wait_for

LEASE = 3


@pytest.fixture(autouse=True)
def _own_leases(awake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short leases; those of other tests have ended, and the database has been up for long."""
    monkeypatch.setattr(freshness, "awaited_seconds", lambda organization: LEASE)
    monkeypatch.setattr(freshness, "longest_seconds", lambda: LEASE)
    monkeypatch.setattr(receipts, "_quiet_until_ns", lambda: 0)
    Lease.objects.all().delete()


def _follower() -> Follower:
    """A follower that has just been heard."""
    follower = Follower.create()
    follower.catch_up()
    follower.poll()
    return follower


def _numbered(follower: Follower, number: int) -> PollRequest:
    """The poll of the follower that comes as number so-and-so."""
    follower.incarnation = f"{number:032x}"
    return follower.request()


def _revoked(estate: Estate) -> Receipt:
    key, _ = estate.key(estate.account())
    receipt = receipts.of_revision(estate.revoke(key))
    assert receipt is not None
    assert ("pending", "key.revoked", key.id) == (receipt.state, receipt.change, receipt.subject)
    return receipt


def _how(receipt: Receipt) -> dict[str, str]:
    return {each["node"]: each["how"] for each in receipt.nodes}


def test_what_adds_access_has_no_receipt(estate: Estate) -> None:
    """
    A key that is issued takes nothing away: no receipt is opened for it.
    """
    estate.key(estate.account())

    assert receipts.of_revision(ledger.head()[1]) is None


def test_without_nodes_it_is_complete_at_once(estate: Estate) -> None:
    """
    Zero nodes give a complete receipt at once, with one event.
    """
    done = receipts.follow(_revoked(estate), 0.0)
    again = receipts.follow(Receipt.objects.get(id=done.id), 0.0)

    assert ("complete", []) == (done.state, done.nodes)
    assert done.completed_at == again.completed_at
    events = ledger.events(done.organization).filter(type="receipt.completed", subject=done.id)
    assert 1 == events.count()


def test_it_names_who_confirmed(estate: Estate) -> None:
    """
    A node that applies the change confirms it; the wait ends there, long before its lease.
    """
    follower = _follower()
    receipt = _revoked(estate)
    task = Task(lambda: receipts.follow(receipt, 2 * LEASE))
    time.sleep(0.1)
    assert task.is_alive()
    seconds = watch.start()
    follower.catch_up()
    follower.poll()
    done = task.result()
    took = seconds()

    assert {follower.node.name: "confirmed"} == _how(done)
    assert took < LEASE / 2
    assert done.nodes[0]["incarnation"] == follower.incarnation


def test_it_waits_out_the_lease_of_who_does_not_answer(estate: Estate) -> None:
    """
    A silent node is waited for until its lease has ended, with the margin, and not longer.
    """
    follower = _follower()
    granted = Lease.objects.get(node=follower.node).granted_at_ns
    done = receipts.follow(_revoked(estate), 3 * LEASE)
    ended = boot_clock_ns()

    assert {follower.node.name: "lease_ended"} == _how(done)
    assert 0 <= ended - granted - bound_ns(LEASE) < 1_000_000_000


def test_a_node_that_polls_and_never_applies_does_not_block_it(estate: Estate) -> None:
    """
    Renewals are not watched: they carry the change. So the lease as first read is what is waited for.
    """
    follower = _follower()
    task = Task(lambda: receipts.follow(_revoked(estate), 3 * LEASE))
    for _ in range(3 * LEASE * 4):
        leases.record(follower.node, follower.request())
        wake.acknowledgements.pulse()
        if not task.is_alive():
            break
        time.sleep(0.25)

    assert {follower.node.name: "lease_ended"} == _how(task.result(0))


@pytest.mark.parametrize(("heard", "awaited"), [(timedelta(minutes=1), True), (timedelta(hours=1), False)])
def test_replaced_followers_of_long_ago_are_not_read(estate: Estate, heard: timedelta, awaited: bool) -> None:
    """
    A replaced follower's row of another boot-time clock counts while the wall clock, with its margin, does not
    rule its lease out. Later it is not even read: neither after a reboot of the host nor as one of many.
    """
    follower = _follower()
    old = Lease.objects.get(node=follower.node)
    old.pk, old.incarnation, old.is_superseded, old.clock_id = None, "0" * 32, True, "another boot"
    old.last_contact_at -= heard
    old.granted_at_ns = 0
    old.save()
    receipt = _revoked(estate)
    watch = receipts._Watch(receipt)
    watch.look()

    assert awaited == (old.incarnation in {row.incarnation for row in watch._rows()})
    assert awaited == (old.incarnation in {each["incarnation"] for each in watch.pending().nodes})
    assert follower.incarnation in {each["incarnation"] for each in watch.pending().nodes}


def test_a_successors_successor_confirms(estate: Estate) -> None:
    """
    The rows between an awaited follower and the present one that retires it are read.
    """
    follower = _follower()
    receipt = _revoked(estate)
    watch = receipts._Watch(receipt)
    assert not watch.look()
    first = follower.incarnation
    for name in ("1" * 32, "2" * 32):
        before, follower.incarnation = follower.incarnation, name
        follower.poll(retires=before)
    follower.catch_up()
    follower.poll()

    assert watch.look()
    assert [(first, "confirmed")] == [(each["incarnation"], each["how"]) for each in watch.settled]


def test_a_node_has_not_endless_followers(estate: Estate) -> None:
    """
    New followers of one node are refused when they come too fast; the present one goes on.
    """
    follower = Follower.create()
    for number in range(leases.MOST_NEW):
        leases.record(follower.node, _numbered(follower, number))
    with pytest.raises(Refused) as refused:
        leases.record(follower.node, _numbered(follower, leases.MOST_NEW))
    leases.record(follower.node, _numbered(follower, leases.MOST_NEW - 1))

    assert "rate_limited" == refused.value.code
    assert leases.MOST_NEW == Lease.objects.filter(node=follower.node).count()


def test_a_removed_node_is_waited_for_until_its_lease_ends(estate: Estate) -> None:
    """
    Removing a node does not stop its verifiers: they run out their lease.
    """
    follower = _follower()
    with transaction(SYSTEM, reason="test") as tx:
        actions.remove(tx, follower.node)

    assert {follower.node.name: "waiting"} == _how(receipts.follow(_revoked(estate), 0.1))


def test_a_follower_that_came_after_the_revoke_is_not_waited_for(estate: Estate) -> None:
    """
    Its first lease carries a head that includes the change.
    """
    receipt = _revoked(estate)
    watch = receipts._Watch(receipt)
    assert watch.look()
    late = _follower()

    assert watch.look()
    assert late.node.name not in _how(watch.receipt)


def test_whoever_does_not_want_to_wait_gets_it_pending_and_it_completes(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    With no time to wait the receipt is pending and names whom it waits for; the keeper completes it.
    """
    follower = _follower()
    receipt = _revoked(estate)
    pending = receipts.follow(receipt, 0.0)
    assert ("pending", {follower.node.name: "waiting"}) == (pending.state, _how(pending))
    monkeypatch.setattr(receipts, "YOUNG", timedelta(0))
    receipts.keep()
    try:
        follower.catch_up()
        follower.poll()
        wait_for(
            "the keeper has completed it", lambda: Receipt.objects.get(id=receipt.id).state == "complete"
        )
    finally:
        receipts.stop()

    assert {follower.node.name: "confirmed"} == _how(Receipt.objects.get(id=receipt.id))


def test_nothing_is_promised_while_rows_may_be_missing(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    After a boot of the host, or a start of the database server, lease rows may have been lost: for one bound
    no receipt is complete, whatever the rows say.
    """
    until = boot_clock_ns() + 700_000_000
    monkeypatch.setattr(receipts, "_quiet_until_ns", lambda: until)
    done = receipts.follow(_revoked(estate), LEASE)

    assert "complete" == done.state
    assert boot_clock_ns() >= until
