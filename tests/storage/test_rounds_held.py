"""Polls that are held in rounds: by no thread, until a commit, their time, or the end of the process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import msgspec
import pytest
from django.db import OperationalError, connection

from retinue.replica.clocks import Clock
from retinue.server.ledger import feed as ledger
from retinue.server.ledger.models import AuditEvent
from retinue.server.nodes import receipts, renewing, rounds, wake
from retinue.server.nodes.models import Lease
from retinue.server.nodes.renewing import Said
from retinue.server.nodes.rules import PollRequest
from tests.storage.estate import Estate, Follower
from tests.storage.together import Together, answer_of, followers_of, removed, superseded
from tests.support import watch
from tests.support.processes import wait_for

MANY = 60


def test_a_commit_answers_all_that_are_held(estate: Estate, together: Together) -> None:
    """
    Sixty polls are held by no thread and no connection of their own; one commit answers all of them.
    """
    followers = followers_of(MANY)
    threads = threading.active_count()
    held = together.hold(followers)
    assert threads == threading.active_count()
    if connection.vendor == "postgresql":
        pool = connection.pool.get_stats()  # type: ignore[attr-defined]
        assert pool["pool_size"] - 1 == pool["pool_available"]  # this test's own is the one in use
    estate.account()
    committed = time.monotonic()
    together.wait(held)

    assert {ledger.position().revision} == {getattr(answer_of(poll), "head", 0) for poll in held}
    assert max(together.seconds[id(poll)] for poll in held) - committed < 0.6
    assert 0 == together.rounds.held


def test_who_was_told_together_is_recorded_together(
    estate: Estate, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A change answers twenty polls. Their nodes poll again one after the other: one statement records them all.
    """
    monkeypatch.setattr(rounds, "GAP_SECONDS", 2.0)
    monkeypatch.setattr(rounds, "GATHER_SECONDS", 10.0)
    monkeypatch.setattr(rounds, "RETURN_SECONDS", 10.0)
    followers = followers_of(20)
    held = together.hold(followers)
    estate.account()
    together.wait(held)
    recorded: list[int] = []

    def record(polls: Sequence[Said]) -> dict[renewing.Place, Clock]:
        recorded.append(len(polls))
        return plain(polls)

    plain = renewing.record
    monkeypatch.setattr(renewing, "record", record)
    polls = []
    for each in followers:
        each.catch_up()
        polls += together.put((each, each.request()))
    together.wait(polls)

    assert [20] == recorded


def test_who_does_not_come_back_is_hardly_waited_for(estate: Estate, together: Together) -> None:
    """
    Of three that were told one is gone: the others are answered as soon as nobody comes any more.
    """
    followers = followers_of(3)
    held = together.hold(followers)
    estate.account()
    together.wait(held)
    seconds = watch.start()
    together.ask(*((each, each.request()) for each in followers[:2]))

    assert seconds() < 0.5


def test_a_receipt_that_is_complete_calls_nobody(estate: Estate, together: Together) -> None:
    """
    A key is revoked, the node confirms, and the event of its receipt is committed: the next poll is held
    through that, and brings the next change at once.
    """
    (follower,) = followers_of(1)
    key, _ = estate.key(estate.account())
    revision = estate.revoke(key)
    follower.catch_up()
    held = together.hold([follower])
    receipt = receipts.of_revision(revision)
    assert receipt is not None
    receipts._complete(receipts._Watch(receipt))  # without waiting for what other tests have left
    time.sleep(0.1)
    through = [ledger.position().revision > follower.meta.revision, together.rounds.held]
    estate.account()
    changed = time.monotonic()
    together.wait(held)

    assert [True, 1] == through
    assert together.seconds[id(held[0])] - changed < 0.6
    assert ledger.position().revision == getattr(answer_of(held[0]), "head", 0)


@pytest.mark.parametrize("event", ["receipt.completed", "account.created"])
def test_only_receipts_are_no_news(event: str, estate: Estate, together: Together) -> None:
    """
    Between two positions there is nothing else, or there is.
    """
    before = ledger.position().revision
    estate.account()
    after = ledger.position().revision
    rows = AuditEvent.objects.filter(revision__gt=before, revision__lte=after)
    types = set(rows.values_list("type", flat=True))

    assert (types != {event}) is ledger.has_other(before, after, event)
    assert not ledger.has_other(after, after, event)


def test_a_held_poll_is_answered_when_its_time_is_over(estate: Estate, together: Together) -> None:
    """
    Nothing is new: it is answered with a lease, hardly before its time, and never later than an eighth of L.
    """
    (follower,) = followers_of(1)
    for wait, least, most in ((0.4, 0.35, 1.0), (3600.0, 1.1, 1.9)):
        began, seconds = time.monotonic(), watch.start()
        (answer,) = together.ask((follower, follower.request(wait=wait)))

        assert seconds() < most
        assert least <= time.monotonic() - began
        assert answer is not None
        assert ([], True) == (answer.changes, answer.lease)


@pytest.mark.parametrize("make", [removed, superseded])
def test_who_is_gone_while_held_is_given_back(
    make: Callable[[Follower], PollRequest], estate: Estate, together: Together
) -> None:
    """
    A node that is removed, or whose follower is replaced, gets no lease when its held poll ends.
    """
    (follower,) = followers_of(1)
    held = together.hold([follower], wait=0.5)
    make(follower)
    together.wait(held)

    assert [None] == [poll.answer for poll in held]


def test_no_more_polls_of_one_node_are_held_than_allowed(estate: Estate, together: Together) -> None:
    """
    The third of one node is answered at once.
    """
    (follower,) = followers_of(1)
    for _ in range(wake.MAX_HELD_EACH):
        together.hold([follower])
    seconds = watch.start()
    (answer,) = together.ask((follower, follower.request(wait=1.25)))

    assert answer is not None
    assert seconds() < 0.9


def test_the_end_of_the_process_answers_what_is_held(awake: str) -> None:
    """
    Held polls are answered, with a lease, and nothing is held from then on.
    """
    together = Together()
    together.rounds.start()
    (follower,) = followers_of(1)
    held = together.hold([follower])
    wake.commits.close()
    together.wait(held, 1.0)
    later = together.ask((follower, follower.request(wait=1.25)))
    together.rounds.stop()

    assert [True, True] == [getattr(each, "lease", False) for each in (answer_of(held[0]), later[0])]


def test_a_database_that_fails_gives_everything_back(
    estate: Estate, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    What has come and what is held is left to be answered alone; afterwards rounds go on.
    """
    follower, other = followers_of(2)
    held = together.hold([follower])

    def fail(polls: Sequence[Said]) -> None:
        raise OperationalError("away")

    with monkeypatch.context() as patch:
        patch.setattr(renewing, "record", fail)
        found = together.ask((other, other.request()))
        together.wait(held)

    assert [None, None] == [found[0], held[0].answer]
    assert [True] == [each is not None for each in together.ask((other, other.request()))]


def test_who_waits_for_receipts_is_woken_once_for_all(
    estate: Estate, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Of sixty nodes that confirm one after the other, those who wait hear a few times, and at the end at once.
    """
    followers = followers_of(MANY)
    together.ask(*((each, each.request()) for each in followers))
    estate.account()
    head = ledger.position()
    pulses: list[bool] = []

    def pulse() -> None:
        rows = Lease.objects.filter(node__in=[each.node for each in followers])
        pulses.append(not rows.filter(revision__lt=head.revision).exists())

    monkeypatch.setattr(wake.acknowledgements, "pulse", pulse)
    for each in followers:
        each.meta = msgspec.structs.replace(each.meta, revision=head.revision, mark=head.mark)
    for each in followers:
        together.put((each, each.request()))
    wait_for("the last is heard", lambda: True in pulses, every=0.002)

    assert len(pulses) < MANY / 2
    assert pulses[-1]
