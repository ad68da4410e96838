"""The barrier: a change waits for the connected followers, and for nobody else."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from retinue.server.ledger import feed as ledger
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.nodes import actions, barrier, leases, wake
from retinue.server.nodes.models import Lease
from tests.storage.estate import Estate, Follower, Task
from tests.support.processes import wait_for


@pytest.fixture(autouse=True)
def _only_own_nodes(awake: str) -> None:
    """Nodes of other tests were not heard for long."""
    Lease.objects.update(last_contact_at=timezone.now() - timedelta(hours=1))


def _late(found: barrier.BarrierResult) -> set[str]:
    return {each.node for each in found.nodes if each.waited_ms is None}


def test_without_nodes_it_returns_at_once(estate: Estate) -> None:
    """
    Zero connected nodes: nothing to wait for.
    """
    found = barrier.wait(ledger.position().revision)

    assert (True, ()) == (found.complete, found.nodes)
    assert found.waited_ms < 100


def test_it_returns_when_the_follower_has_applied(estate: Estate) -> None:
    """
    The call ends with the acknowledgement: the poll after the change was applied.
    """
    follower = Follower.create()
    follower.catch_up()
    key, _ = estate.key(estate.account())
    follower.catch_up()
    held = Task(lambda: (follower.poll(wait=1.2), follower.poll())[1])
    wait_for("the poll is held", lambda: wake.commits.held)

    found = barrier.wait(estate.revoke(key))
    print(f"\n{connection.vendor}: revoke confirmed after {found.waited_ms:.1f} ms")
    assert (True, [follower.node.name]) == (found.complete, [each.node for each in found.nodes])
    assert found.waited_ms < 800
    held.result()


def test_a_node_that_does_not_apply_is_named(estate: Estate) -> None:
    """
    A connected node that never acknowledges ends the wait by its time, and is named.
    """
    follower = Follower.create()
    follower.catch_up()
    follower.poll()
    account = estate.account()
    key, _ = estate.key(account)
    revision = estate.revoke(key)

    found = barrier.wait(revision, timeout_s=0.2)
    assert (False, {follower.node.name}) == (found.complete, _late(found))
    assert 150 <= found.waited_ms < 1_000


def test_polling_without_applying_confirms_nothing(estate: Estate) -> None:
    """
    Only what a node says it has applied counts, not that it was heard after the change.
    """
    follower = Follower.create()
    follower.catch_up()
    key, _ = estate.key(estate.account())
    revision = estate.revoke(key)
    leases.record(follower.node, follower.request())
    wake.acknowledgements.pulse()

    assert not barrier.wait(revision, timeout_s=0.1).complete


def test_a_successor_on_the_same_replica_confirms_for_the_follower_that_it_retired(estate: Estate) -> None:
    """
    A restarted follower has the same replica: what it has applied, the row that it retires has too.
    A second follower of the same name without that replica confirms nothing for the first.
    """
    older = Follower.create()
    older.catch_up()
    older.poll()
    stranger = Follower(older.node)
    key, _ = estate.key(estate.account())
    revision = estate.revoke(key)
    pending = list(barrier._connected())
    stranger.load()
    stranger.poll()
    assert [] == barrier._confirmed(pending, ledger.position().epoch, revision)

    again = Follower(older.node, replica=older.replica, meta=stranger.meta)
    again.poll(retires=older.incarnation)
    assert [pending[0].pk] == barrier._confirmed(pending, ledger.position().epoch, revision)


def test_a_removed_node_is_not_waited_for(estate: Estate) -> None:
    """
    Whoever is removed while a change waits for it is not waited for any longer.
    """
    follower = Follower.create()
    follower.catch_up()
    follower.poll()
    account = estate.account()
    task = Task(lambda: barrier.wait(ledger.position().revision, timeout_s=5.0))
    time.sleep(0.05)
    with transaction(SYSTEM, reason="test") as tx:
        actions.remove(tx, follower.node)
    wake.acknowledgements.pulse()

    assert task.result().complete
    assert account.state == "enabled"


def test_an_acknowledgement_to_another_process_is_seen(estate: Estate) -> None:
    """
    On PostgreSQL the acknowledgement may arrive in another process: the rows are looked at again soon.
    """
    if connection.vendor != "postgresql":
        return  # on SQLite there is one process
    follower = Follower.create()
    follower.catch_up()
    follower.poll()
    key, _ = estate.key(estate.account())
    revision = estate.revoke(key)
    task = Task(lambda: barrier.wait(revision, timeout_s=5.0))
    follower.catch_up()
    leases.record(follower.node, follower.request())  # as another process would: no pulse here

    assert task.result().waited_ms < 1_000
