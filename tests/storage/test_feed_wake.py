"""Commit to wake is push: held polls are answered by the commit itself, and hold nothing but a thread."""

from __future__ import annotations

import statistics
import time
from functools import partial

import pytest
from django.db import connection, transaction

from retinue.server.ledger import feed
from retinue.server.nodes import wake
from retinue.server.nodes.wake import Listener, Ticket, Wake
from tests.storage.estate import Estate, Follower, Task
from tests.support import watch
from tests.support.processes import wait_for

HELD = 50
ROUNDS = 40


def _head() -> int:
    return feed.position().revision


def _hold(follower: Follower) -> Task:
    """Start a poll and wait until it is held."""
    held = wake.commits.held
    task = Task(lambda: (follower.poll(wait=1.25), time.monotonic())[1])
    wait_for("the poll is held", lambda: wake.commits.held > held)
    return task


def _woken(other: Wake, ticket: Ticket, revision: int) -> float:
    other.hold(ticket, revision, 10.0)
    return time.monotonic()


def test_a_commit_wakes_a_held_poll_at_once(estate: Estate) -> None:
    """
    From the return of the commit to the answer of a held poll it takes milliseconds, far less than any
    interval at which one would look.
    """
    follower = Follower.create()
    follower.catch_up()
    took = []
    for _ in range(ROUNDS):
        task = _hold(follower)
        estate.account()
        committed = time.monotonic()
        took.append((task.result() - committed) * 1e3)

    median, worst = statistics.median(took), max(took)
    print(f"\n{connection.vendor}: commit to answer: median {median:.2f} ms, worst {worst:.1f} ms")
    assert median < 50
    assert worst < 600


def test_a_held_poll_is_answered_when_its_time_is_over(awake: str) -> None:
    """
    With nothing new a poll is held for the time that it asks for, and then answered with a lease.
    """
    follower = Follower.create()
    follower.catch_up()
    began, seconds = time.monotonic(), watch.start()
    answer = follower.poll(wait=0.3)

    assert seconds() < 1.0
    assert 0.3 <= time.monotonic() - began
    assert ([], True, False) == (answer.changes, answer.lease, answer.more)


def test_a_poll_is_never_held_longer_than_an_eighth_of_the_lease(awake: str) -> None:
    """
    The lease runs from the sending of the poll, so a hold is bounded whatever the node asks for.
    """
    follower = Follower.create()
    follower.catch_up()
    began, seconds = time.monotonic(), watch.start()
    follower.poll(wait=3600.0)

    assert seconds() < 2.0
    assert 1.2 <= time.monotonic() - began


def test_held_polls_hold_no_connection(estate: Estate) -> None:
    """
    Fifty held polls and a pool of fewer connections: all are held at once, none keeps a connection.
    """
    followers = [Follower.create() for _ in range(HELD)]
    for follower in followers:
        follower.catch_up()
    tasks = [Task(partial(follower.poll, wait=1.25)) for follower in followers]
    wait_for("all are held", lambda: wake.commits.held == HELD, seconds=1.2)

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND application_name <> 'retinue-listen' AND state <> 'idle'"
            )
            assert (0,) == cursor.fetchone()
        pool = connection.pool.get_stats()  # type: ignore[attr-defined]
        assert pool["pool_size"] - 1 == pool["pool_available"]  # this test's own is the one in use
    estate.account()

    assert {_head()} == {task.result().head for task in tasks}


def test_no_more_polls_are_held_than_allowed(awake: str) -> None:
    """
    One poll too many is answered at once: threads are left for everything else.
    """
    wake.commits.max_held = 1
    first, second = Follower.create(), Follower.create()
    first.catch_up()
    second.catch_up()
    task = _hold(first)
    seconds = watch.start()
    second.poll(wait=1.25)

    assert seconds() < 0.5
    task.result()


def test_the_end_of_the_process_releases_held_polls(awake: str) -> None:
    """
    Closing answers every held poll at once, so that a drain does not wait for nodes.
    """
    follower = Follower.create()
    follower.catch_up()
    task = _hold(follower)
    seconds = watch.start()
    wake.close()
    task.result()

    assert seconds() < 0.3


def test_a_commit_of_another_process_is_heard(estate: Estate) -> None:
    """
    A process that did not commit itself hears of a revision by NOTIFY, at once.
    """
    if connection.vendor != "postgresql":
        return  # on SQLite there is one process
    other = Wake()
    listener = Listener(other)
    listener.start()
    assert listener.is_listening.wait(10)
    took = []
    for _ in range(20):
        ticket, seen = other.ticket(), _head()
        task = Task(partial(_woken, other, ticket, seen))
        wait_for("it waits", lambda: other.held == 1)
        estate.account()
        committed = time.monotonic()
        took.append((task.result() - committed) * 1e3)
    listener.stop()

    print(f"\nNOTIFY to another process: median {statistics.median(took):.2f} ms, worst {max(took):.1f} ms")
    assert statistics.median(took) < 100


def test_a_lost_listening_connection_is_made_anew_and_wakes_everybody(estate: Estate) -> None:
    """
    When the connection that listens is cut, whoever waits is woken once it is back: what was committed
    in between is not missed.
    """
    if connection.vendor != "postgresql":
        return  # nobody listens on SQLite
    other = Wake()
    listener = Listener(other)
    listener.start()
    assert listener.is_listening.wait(10)
    ticket = other.ticket()
    task = Task(partial(_woken, other, ticket, 1 << 60))
    wait_for("it waits", lambda: other.held == 1)
    began = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'retinue-listen' AND datname = current_database()"
        )

    assert task.result() - began < 5
    listener.stop()


def test_a_poll_is_not_held_inside_a_transaction(awake: str) -> None:
    """
    Waiting with an open transaction would lock everybody else out; it is an error.
    """
    with transaction.atomic(), pytest.raises(RuntimeError, match="inside a transaction"):
        wake.release_connection()
