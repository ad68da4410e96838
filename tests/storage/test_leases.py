"""The lease rows: written by every poll, beside the write door."""

from __future__ import annotations

import pytest
from django.db import connection

from retinue.server.errors import Refused
from retinue.server.ledger.transaction import SYSTEM, one_writer, transaction
from retinue.server.nodes import actions, leases
from retinue.server.nodes.models import Lease
from retinue.server.schema import check_durability
from tests.storage.estate import Follower, Task
from tests.support.processes import wait_for

pytestmark = pytest.mark.usefixtures("awake")


def test_a_poll_leaves_the_connection_as_durable_as_before() -> None:
    """
    The commit of a lease row does not wait for the disk; the next change on the same connection does,
    also after a poll that was refused.
    """
    follower = Follower.create()
    follower.catch_up()
    check_durability()
    assert follower.meta.revision == Lease.objects.get(incarnation=follower.incarnation).revision

    with transaction(SYSTEM, reason="test") as tx:
        actions.remove(tx, follower.node)
    with pytest.raises(Refused, match="node_removed"):
        leases.record(follower.node, follower.request())
    check_durability()


def test_a_poll_waits_for_the_writer_before_it() -> None:
    """
    On SQLite a poll queues behind the change that is being written, instead of sleeping and trying again.
    """
    follower = Follower.create()
    follower.catch_up()
    with one_writer():
        poll = Task(lambda: leases.record(follower.node, follower.request()))
        waits = connection.vendor == "sqlite"
        wait_for("the poll has come to the queue", lambda: poll.is_alive() is waits)
        poll.join(0.2)

        assert waits is poll.is_alive()
    poll.result()
