"""When the history is in doubt: who notices, what is promised meanwhile, and who is waited for."""

from __future__ import annotations

import msgspec
import pytest
from django.db import connection

from retinue.replica.lease import boot_clock_ns
from retinue.server.errors import Refused
from retinue.server.ledger import feed as ledger
from retinue.server.ledger import lineage
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.nodes import epochs, feed, receipts, recovery
from retinue.server.nodes.history import Doubt
from retinue.server.nodes.journals import JournalPage, take
from retinue.server.nodes.models import Epoch, Journal
from retinue.server.nodes.rules import Applied
from tests.storage.estate import Estate, Follower, Task
from tests.storage.past import Past
from tests.storage.recovering import fresh_follower, recover, state_of


def test_a_database_that_moved_past_the_node_is_noticed(history: Past) -> None:
    """
    The restored database counts on beyond the node's revision before the node is heard: the number of the
    node's revision exists, but it is another one. The mark tells, and what was lost is taken away again.
    """
    estate, follower = Estate.create(), fresh_follower()
    key, _ = estate.key(estate.account())
    history.backup()
    estate.revoke(key)
    follower.catch_up()
    history.restore()
    for _ in range(5):
        estate.account()

    assert follower.meta.revision < ledger.position().revision
    assert "open" == recover(follower).state
    assert "revoked" == state_of(key)


def test_a_database_that_moved_past_a_page_of_a_snapshot_is_noticed(history: Past) -> None:
    """
    A backup comes back between two pages; the first page's revision is in it, a later one's is not, and its
    number is passed before the node polls. The node says of which head it has records: that is not this history.
    """
    estate, follower = Estate.create(), fresh_follower()
    follower.catch_up()
    history.backup()
    estate.account()
    page = feed.snapshot(None, limit=1_000_000)
    seen = Applied(page.epoch, page.head, page.mark)
    follower.poll(seen=seen)
    known = ledger.position().epoch
    history.restore()
    for _ in range(5):
        estate.account()
    follower.poll(seen=seen)

    assert page.head < ledger.position().revision
    assert (known + 1, True) == ((head := ledger.position()).epoch, head.is_recovering)
    assert "node_ahead" == Epoch.objects.get(epoch=head.epoch).cause


def test_a_database_that_was_not_restored_is_not_doubted(history: Past) -> None:
    """
    Followers at any place of the history raise nothing, and neither does one that knows nothing yet.
    """
    estate, behind, new = Estate.create(), fresh_follower(), Follower.create()
    for _ in range(3):
        estate.account()
        behind.poll()
    estate.account()
    behind.catch_up()
    new.catch_up()

    assert (1, False) == ((head := ledger.position()).epoch, head.is_recovering)


def test_nothing_is_promised_while_the_history_is_in_doubt(
    history: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    From the doubt on no lease is given, no snapshot served and no receipt completed, until every journal is
    in and the longest lease has ended.
    """
    ends = boot_clock_ns() + 3_600 * 10**9
    monkeypatch.setattr(epochs, "_lease_ends_ns", lambda epoch: ends)
    estate, first, second = Estate.create(), fresh_follower(), fresh_follower()
    key, _ = estate.key(estate.account())
    first.catch_up()
    history.backup()
    estate.revoke(key)
    first.catch_up()
    history.restore()

    said = first.poll()
    assert (2, True, True) == (said.epoch, said.journal, said.recovering)
    assert (False, False) == (said.lease, said.snapshot)
    with pytest.raises(Refused, match="epoch_recovering"):
        feed.snapshot(None)
    other, _ = estate.key(estate.account())
    receipt = receipts.of_revision(estate.revoke(other))
    assert receipt is not None
    first.catch_up()
    recovery.step()
    awaited = epochs.standing(epochs.latest()).awaited
    assert second.node.name in awaited
    assert first.node.name not in awaited
    second.catch_up()
    for _ in range(5):
        recovery.step()
    assert ("recovering", ()) == ((told := epochs.standing(epochs.latest())).epoch.state, told.awaited)
    assert (False, True) == ((answer := second.poll()).lease, answer.recovering)
    assert "pending" == receipts.follow(receipt, 0.0).state

    monkeypatch.setattr(epochs, "_lease_ends_ns", lambda epoch: 0)
    recover(first, second)
    assert (True, True) == (first.poll().lease, second.poll().lease)
    done = receipts.follow(receipt, 5.0)
    assert ("complete", {"confirmed"}) == (done.state, {each["how"] for each in done.nodes})
    assert "revoked" == state_of(key)


def test_an_operator_may_skip_a_node_that_never_comes(history: Past) -> None:
    """
    A node that was heard in the last day is waited for, until somebody names it. Its journal is taken all the
    same when it comes, and what it knows is done again before it gets a snapshot.
    """
    estate, present, absent = Estate.create(), fresh_follower(), fresh_follower()
    key, _ = estate.key(estate.account())
    present.catch_up()
    history.backup()
    estate.revoke(key)
    absent.catch_up()
    history.restore()
    epochs.begin(SYSTEM, Doubt("declared", ledger.position().epoch))
    assert "recovering" == recover(present).state
    with transaction(SYSTEM, reason="its disk is gone") as tx:
        epochs.skip(tx, epochs.latest(), [absent.node.name])
    with pytest.raises(Refused) as refused, transaction(SYSTEM) as tx:
        epochs.skip(tx, epochs.latest(), [absent.node.name])
    assert "nodes.0" == refused.value.field

    assert "open" == recover(present).state
    assert "active" == state_of(key)
    absent.catch_up()
    assert absent.poll().recovering
    recover(absent, present)
    assert ("revoked", True) == (state_of(key), absent.poll().lease)
    assert "reported" == Journal.objects.get(node=absent.node.id).state


def test_one_of_several_raises_the_epoch(history: Past) -> None:
    """
    Whoever finds the same doubt at the same time gets the one epoch that the first of them made.
    """
    Estate.create()
    found = [Task(lambda: epochs.begin(SYSTEM, Doubt("declared", 1))) for _ in range(6)]

    assert [2] * 6 == [each.result().epoch for each in found]
    assert [1, 2] == sorted(Epoch.objects.values_list("epoch", flat=True))


def test_the_epoch_is_above_every_one_that_was_seen(history: Past) -> None:
    """
    A backup from before another epoch: the node is in a later epoch than the database, which goes beyond it.
    """
    estate, follower = Estate.create(), fresh_follower()
    key, _ = estate.key(estate.account())
    history.backup()
    epochs.begin(SYSTEM, Doubt("declared", 1))
    recover(follower)
    estate.revoke(key)
    follower.catch_up()
    assert 2 == follower.meta.epoch
    history.restore()

    assert 3 == recover(follower).epoch
    assert "revoked" == state_of(key)


def test_a_journal_in_bad_form_is_refused(history: Past) -> None:
    """
    A page of another epoch, or with what no node writes, is refused with the field at fault; nothing is kept.
    """
    estate, follower = Estate.create(), fresh_follower()
    estate.account()
    follower.catch_up()
    with pytest.raises(Refused) as refused:
        follower.hand_over(7)
    assert ("state_conflict", "epoch") == (refused.value.code, refused.value.field)
    kind, key = next(iter(follower.journal))
    follower.journal = {(kind, "\0"): follower.journal[kind, key]}
    with pytest.raises(Refused) as refused:
        follower.hand_over(1)
    assert ("invalid_value", "lines.0") == (refused.value.code, refused.value.field)
    assert not Journal.objects.exists()


def test_another_database_is_noticed_by_itself(history: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    PostgreSQL: a database made from a copy is another one, before any node is heard. SQLite cannot tell.
    """
    monkeypatch.undo()
    monkeypatch.setattr(epochs, "_lease_ends_ns", lambda epoch: 0)
    Estate.create()
    epochs.begin(SYSTEM, Doubt("declared", 1))  # notes where it is
    for _ in range(3):
        recovery.step()
    assert (2, False) == ((head := ledger.position()).epoch, head.is_recovering)
    history.move()
    recovery.step()

    expected = 2 if connection.vendor == "sqlite" else 3
    assert (expected, False) == (ledger.position().epoch, lineage.has_moved())


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("lease_ms", {"lease_ms": 3_600_001}),
        ("lease_ms", {"lease_ms": -1}),
        ("incarnation", {"incarnation": "x\0"}),
        ("applied.epoch", {"applied": Applied(-1, 0)}),
        ("applied.mark", {"applied": Applied(1, 1, "\0")}),
    ],
)
def test_odd_journals_are_refused(history: Past, field: str, given: dict[str, object]) -> None:
    """
    A page that no follower sends is refused with the field at fault. No node makes an epoch wait for longer than
    the longest lease that a policy may state.
    """
    follower = Follower.create()
    page = JournalPage(follower.node.name, follower.incarnation, 1, Applied(), [], False)
    with pytest.raises(Refused) as refused:
        take(follower.node, msgspec.structs.replace(page, **given))

    assert ("invalid_value", field) == (refused.value.code, refused.value.field)
