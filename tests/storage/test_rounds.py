"""Polls that are answered together get what each would get alone, in the same order: record, commit, read."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

import msgspec
import pytest

from retinue.server.ledger import feed as ledger
from retinue.server.nodes import feed, rounds
from retinue.server.nodes.models import Lease
from retinue.server.nodes.rules import Applied, PollRequest
from tests.storage.estate import Estate, Follower, Task, hooked
from tests.storage.together import Together, followers_of, removed, row, superseded, timeless


def test_answers_are_those_that_each_would_get_alone(estate: Estate, together: Together) -> None:
    """
    Nodes that are behind, up to date, inside a revision, or compacted away: the same answer, but for its time.
    """
    old, near, fresh = followers_of(3)
    estate.account()
    near.catch_up()
    estate.account()
    fresh.catch_up()
    said = [
        (each, each.request(clock=time.clock_gettime_ns(time.CLOCK_BOOTTIME))) for each in (old, near, fresh)
    ]
    first = ledger.changes(ledger.Touched(old.meta.revision + 1, "", ""), 1)[0]
    inside = f"{first.revision}/{first.kind}/{first.key}"
    found = [*together.ask(*said), *together.ask((old, old.request(after=inside)))]
    alone = [feed.poll(each.node, request, each.actor) for each, request in said]
    alone.append(feed.poll(old.node, old.request(after=inside), old.actor))

    assert [timeless(each) for each in alone] == [timeless(each) for each in found]
    assert [True] * 4 == [each is not None and each.lease for each in found]


def test_what_is_acknowledged_is_committed_before_anything_is_read(
    estate: Estate, together: Together
) -> None:
    """
    When the read for the answers begins, another connection sees what every poll of the round acknowledged.
    """
    followers = followers_of(5)
    estate.account()
    for each in followers:
        each.poll()
    seen: list[set[int]] = []

    def look() -> None:
        if together.rounds is threading.current_thread():
            task = Task(
                lambda: set(
                    Lease.objects.filter(node__in=[f.node for f in followers]).values_list(
                        "revision", flat=True
                    )
                )
            )
            seen.append(task.result())

    with hooked(rounds, "reading", before=look):
        together.ask(*((each, each.request()) for each in followers))

    assert {followers[0].meta.revision} == seen[0]
    assert followers[0].meta.revision > 0


def test_a_change_that_is_committed_after_the_record_is_in_the_answer(
    estate: Estate, together: Together
) -> None:
    """
    Between the commit of the rows and the read a key is revoked: the answer brings it, or gives no lease.
    """
    (follower,) = followers_of(1)
    key, _ = estate.key(estate.account())
    follower.catch_up()
    revoked: list[int] = []

    def revoke() -> None:
        if not revoked and threading.current_thread() is together.rounds:
            revoked.append(Task(lambda: estate.revoke(key)).result())

    with hooked(rounds, "reading", before=revoke):
        (answer,) = together.ask((follower, follower.request()))

    assert answer is not None
    assert (revoked[0], True) == (answer.head, answer.lease)
    assert revoked[0] in [change.revision for change in answer.changes]


def _foreign(follower: Follower) -> PollRequest:
    applied = Applied(follower.meta.epoch, follower.meta.revision, "f" * 16)
    return msgspec.structs.replace(follower.request(), applied=applied)


def _ahead(follower: Follower) -> PollRequest:
    applied = Applied(follower.meta.epoch, follower.meta.revision + 1_000, "f" * 16)
    return msgspec.structs.replace(follower.request(), applied=applied)


def _unknown(follower: Follower) -> PollRequest:
    return msgspec.structs.replace(follower.request(), incarnation=secrets.token_hex(16))


@pytest.mark.parametrize("make", [_foreign, _ahead, removed, superseded, _unknown])
def test_what_is_not_usual_is_given_back_and_records_nothing(
    make: Callable[[Follower], PollRequest], estate: Estate, together: Together
) -> None:
    """
    Another history, a node that was removed, an incarnation that is replaced or new: such a poll is left to
    be answered alone. Those beside it are answered.
    """
    follower, other = followers_of(2)
    request = make(follower)
    before = list(Lease.objects.filter(node=follower.node).order_by("id").values())
    found = together.ask((follower, request), (other, other.request()))

    assert [None, True] == [found[0], found[1] is not None]
    assert before == list(Lease.objects.filter(node=follower.node).order_by("id").values())


def test_who_may_not_poll_acknowledges_nothing(estate: Estate, together: Together) -> None:
    """
    A credential that has ended since the headers were looked at is not believed.
    """
    (follower,) = followers_of(1)
    estate.account()
    before = row(follower)
    follower.meta = msgspec.structs.replace(follower.meta, revision=ledger.position().revision)
    made = together.put((follower, follower.request()), may=lambda: False)
    together.wait(made)

    assert None is made[0].answer
    assert (before.revision, before.granted_at_ns) == (row(follower).revision, row(follower).granted_at_ns)


def test_two_polls_of_one_incarnation_are_each_recorded(estate: Estate, together: Together) -> None:
    """
    Put together, they go into two rounds: the mark of each is looked at.
    """
    (follower,) = followers_of(1)
    good, foreign = follower.request(), _foreign(follower)
    found = together.ask((follower, good), (follower, foreign), (follower, good))

    assert [True, False, True] == [each is not None for each in found]
