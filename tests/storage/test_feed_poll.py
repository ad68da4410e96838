"""The poll: record, then read; whole revisions; who may poll."""

from __future__ import annotations

import secrets
from datetime import timedelta

import msgspec
import pytest
from django.utils import timezone

from retinue.replica import records
from retinue.replica.records import Kind
from retinue.server.errors import Refused
from retinue.server.ledger import feed as ledger
from retinue.server.ledger.models import Change
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.nodes import actions, feed, leases, queries
from retinue.server.nodes.models import IdentityKey, Lease
from retinue.server.nodes.rules import Applied, PublishedKey
from tests.storage.estate import Estate, Follower, Task, enrol, hooked

pytestmark = pytest.mark.usefixtures("awake")
_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"


def test_first_poll_is_told_to_load_a_snapshot() -> None:
    """
    A replica that knows nothing is sent to the snapshot, without a lease.
    """
    answer = Follower.create().poll()

    assert (True, False, False, []) == (answer.snapshot, answer.lease, answer.more, answer.changes)


def test_poll_brings_the_present_record_of_what_changed(estate: Estate) -> None:
    """
    A change reaches the node as the record in its present state, up to the head, with a lease.
    """
    follower = Follower.create()
    follower.catch_up()
    key, _ = estate.key(estate.account())
    revision = estate.revoke(key)

    answer = follower.poll()
    [record] = [
        msgspec.msgpack.decode(change.value or b"", type=records.Credential)
        for change in answer.changes
        if change.key == key.kid
    ]
    assert (revision, True, False) == (answer.head, answer.lease, answer.more)
    assert "revoked" == record.state


def test_a_change_after_the_recording_is_in_the_answer(estate: Estate) -> None:
    """
    The head is read after the acknowledgement is committed: a change that commits right after the
    recording is in the same answer. Reading first would miss it and still give a lease.
    """
    follower = Follower.create()
    follower.catch_up()
    key, _ = estate.key(estate.account())
    follower.catch_up()
    committed: list[int] = []

    with hooked(leases, "record", after=lambda: committed.append(Task(lambda: estate.revoke(key)).result())):
        answer = follower.poll()

    assert committed == [answer.head]
    assert key.kid in {change.key for change in answer.changes}


def test_the_acknowledgement_is_committed_before_the_head_is_read() -> None:
    """
    Whoever commits a change after a poll has read the head sees the row of that poll: its barrier waits.
    """
    follower = Follower.create()
    follower.catch_up()
    rows: list[int] = []

    def look() -> None:
        found = Lease.objects.filter(incarnation=follower.incarnation).values_list("revision", flat=True)
        rows.append(Task(lambda: found.get()).result())

    acknowledged = follower.meta.revision
    with hooked(ledger, "position", before=look):
        follower.poll()

    assert [acknowledged] == rows


def test_an_object_that_changed_several_times_is_sent_once(estate: Estate) -> None:
    """
    An answer holds each object once, with the latest revision that touched it.
    """
    follower = Follower.create()
    follower.catch_up()
    account = estate.account()
    for role in ("auditor", "member"):
        with transaction(SYSTEM, reason="test") as tx:
            feed_roles(tx, account, role)

    answer = follower.poll()
    assert [answer.head] == [change.revision for change in answer.changes if change.key == account.id]


def feed_roles(tx, account, role) -> None:  # type: ignore[no-untyped-def]
    from retinue.server.access import actions as access

    access.set_roles(tx, account, [role])
