"""The lease of each organization: what a change waits for, while it is made shorter or longer, and how polls
are held.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from retinue.replica.lease import boot_clock_ns
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.nodes import actions, freshness, receipts
from retinue.server.nodes.models import Lease
from retinue.server.nodes.receipts import Receipt
from retinue.server.nodes.settling import bound_ns
from retinue.server.policies import actions as policies
from retinue.server.policies.models import Standing
from retinue.server.policies.queries import lease_of, policy_of
from tests.storage.estate import Estate, Follower, enrol


@pytest.fixture(autouse=True)
def _no_leases(awake: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leases and receipts of other tests are over, the database has been up for long; theirs last ten seconds."""
    monkeypatch.setattr(receipts, "_quiet_until_ns", lambda: 0)
    Lease.objects.all().delete()
    _settle()
    yield
    for ident in Standing.objects.exclude(lease_seconds=10).values_list("organization", flat=True):
        lease(ident, 10)
    Lease.objects.all().delete()
    _settle()


def _settle() -> None:
    for each in Receipt.objects.filter(state="pending"):
        receipts.follow(each, 0.0)


def lease(organization: str, seconds: int) -> Receipt:
    """Give an organization another lease; returns the receipt of the change."""
    with transaction(SYSTEM, reason="test") as tx:
        policies.change(
            tx, organization, lambda now: replace(now, overrides={"freshness.lease_seconds": seconds})
        )
    assert tx.revision is not None
    return receipt_of(tx.revision)


def receipt_of(revision: int) -> Receipt:
    """The receipt of a revision."""
    found = receipts.of_revision(revision)
    assert found is not None
    return found


def revoked(estate: Estate) -> Receipt:
    """Revoke a new key; returns the receipt."""
    return receipt_of(estate.revoke(estate.key(estate.account())[0]))


def follower() -> Follower:
    """A follower that has just been heard."""
    made = Follower.create()
    made.catch_up()
    made.poll()
    return made


def test_each_organization_has_its_own_lease(estate: Estate) -> None:
    """
    A change waits for the lease of its own organization, whatever others have.
    """
    other = Estate.create()
    lease(other.organization.id, 60)
    lease(estate.organization.id, 2)
    receipts.follow(receipts.pending_of(estate.organization.id) or revoked(estate), 0.0)

    assert (2, 60) == (revoked(estate).lease_seconds, revoked(other).lease_seconds)


def test_node_keeps_the_lease_that_its_replica_says(estate: Estate) -> None:
    """
    A node decides for as long as the organization's record says, from the moment on at which it has applied it.
    """
    node = follower()
    place = estate.organization.id

    def told() -> int:
        with node.replica.snapshot() as snapshot:
            found = snapshot.organization(place)
        assert found is not None
        return found.lease_ms

    before = told()
    lease(place, 60)
    between = told()
    node.catch_up()

    assert (10_000, 10_000, 60_000) == (before, between, told())


def test_shorter_lease_waits_for_the_longer_one(estate: Estate) -> None:
    """
    Shortening is itself reducing: a node that has not applied it may go on for the longer lease.
    """
    assert (10, 10) == ((made := lease(estate.organization.id, 2)).lease_seconds, made.lease_before_seconds)


def test_revoke_at_once_after_shortening_waits_for_the_longer_lease(estate: Estate) -> None:
    """
    Shorten, then revoke, while a node is cut off: it still holds the longer lease, so the revoke waits for
    that; not a moment less, and the receipt names the node. Then the shorter one holds.
    """
    with_five = lease(estate.organization.id, 5)
    receipts.follow(with_five, 0.0)
    node = follower()
    granted = Lease.objects.get(node=node.node).granted_at_ns
    shortened = lease(estate.organization.id, 2)
    receipt = revoked(estate)
    done = receipts.follow(receipt, 10.0)
    ended = boot_clock_ns()
    receipts.follow(shortened, 5.0)

    assert (5, "complete", {node.node.name: "lease_ended"}) == (
        receipt.lease_seconds,
        done.state,
        {each["node"]: each["how"] for each in done.nodes},
    )
    assert 0 <= ended - granted - bound_ns(5) < 1_000_000_000
    assert 2 == revoked(estate).lease_seconds


def test_longer_lease_counts_from_its_commit(estate: Estate) -> None:
    """
    Once a longer lease is committed, a node may have applied it: changes wait for it from then on.
    """
    made = lease(estate.organization.id, 30)

    assert (30, None, 30) == (made.lease_seconds, made.lease_before_seconds, revoked(estate).lease_seconds)


def test_pending_revokes_do_not_keep_the_longer_lease_alive(estate: Estate) -> None:
    """
    Only the shortening itself keeps the longer lease in use: revokes that follow each other do not.
    """
    shortened = lease(estate.organization.id, 2)
    first = revoked(estate)
    receipts.follow(shortened, 0.0)

    assert ("pending", 10, 2) == (
        Receipt.objects.get(id=first.id).state,
        first.lease_seconds,
        revoked(estate).lease_seconds,
    )


def test_change_of_the_installation_waits_for_the_longest_lease(estate: Estate) -> None:
    """
    What concerns every organization waits for the longest lease of all; polls are held for the shortest.
    """
    lease(estate.organization.id, 2)
    lease(Estate.create().organization.id, 3_600)
    node, _ = enrol()
    with transaction(SYSTEM, reason="test") as tx:
        actions.remove(tx, node)
    assert tx.revision is not None

    assert (3_600, 2) == (receipt_of(tx.revision).lease_seconds, freshness.shortest_seconds())
    assert 2_000 == follower().poll().lease_ms


def test_lease_in_force_is_that_of_the_policy(estate: Estate) -> None:
    """
    What is asked for each poll and each change is the value of the policy in force.
    """
    lease(estate.organization.id, 7)
    ident = estate.organization.id

    assert (7, 7) == (policy_of(ident).freshness_lease_seconds, lease_of(ident))
