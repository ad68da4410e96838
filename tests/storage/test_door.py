"""The queue of those who write: one at a time, polls before others, nobody for ever."""

from __future__ import annotations

import threading
import time

from retinue.server.ledger.door import PATIENCE_SECONDS, Door, Rank

MANY = 5


def _enter(door: Door, order: list[str], name: str, rank: Rank = Rank.NEXT) -> threading.Thread:
    def act() -> None:
        with door.enter(10.0, rank) as entered:
            assert entered
            order.append(name)
            time.sleep(0.02)  # the others come to wait meanwhile

    thread = threading.Thread(target=act)
    thread.start()
    return thread


def test_who_is_let_in_first_waits_for_one_other_at_most() -> None:
    """
    Five wait when a poll comes: it is the first or the second to enter.
    """
    door, order = Door(), list[str]()
    with door.enter(1.0):
        threads = [_enter(door, order, "other") for _ in range(MANY)]
        time.sleep(0.05)
        threads.append(_enter(door, order, "first", Rank.FIRST))
        time.sleep(0.05)
    for thread in threads:
        thread.join()

    assert MANY + 1 == len(order)
    assert order.index("first") <= 1


def test_one_is_inside_at_a_time_and_may_enter_again() -> None:
    """
    Whoever is inside enters again without waiting, while others wait outside until it has left altogether.
    """
    door, order = Door(), list[str]()
    with door.enter(1.0):
        threads = [_enter(door, order, "other", list(Rank)[number % 3]) for number in range(MANY)]
        with door.enter(0.0) as again:
            time.sleep(0.05)
        before = list(order)
    for thread in threads:
        thread.join()

    assert (True, []) == (again, before)
    assert MANY == len(order)


def test_who_comes_last_lets_everybody_in_before() -> None:
    """
    Five wait, and one who comes last though it came before them: it enters last of all. It queues in the end.
    """
    door, order = Door(), list[str]()
    with door.enter(1.0):
        threads = [_enter(door, order, "last", Rank.LAST)]
        time.sleep(0.02)
        threads += [_enter(door, order, "other") for _ in range(MANY)]
        time.sleep(0.02)
    for thread in threads:
        thread.join()
    with door.enter(1.0):
        late = _enter(door, order, "late", Rank.LAST)
        time.sleep(PATIENCE_SECONDS + 0.1)
        queue = [_enter(door, order, "queue") for _ in range(MANY)]
        time.sleep(0.02)
    for thread in (late, *queue):
        thread.join()

    assert [*["other"] * MANY, "last", "late", *["queue"] * MANY] == order


def test_nobody_waits_longer_than_said() -> None:
    """
    Outside nobody waits longer than it said, whichever it waits for; afterwards the door is as it was.
    """
    door, found = Door(), list[bool]()

    def act(rank: Rank) -> None:
        with door.enter(0.05, rank) as entered:
            found.append(entered)

    with door.enter(1.0):
        threads = [threading.Thread(target=act, args=(rank,)) for rank in (*Rank, Rank.NEXT)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5.0)
    act(Rank.NEXT)

    assert [False, False, False, False, True] == found
