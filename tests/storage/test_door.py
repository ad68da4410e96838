"""The queue of those who write: one at a time, polls before others, nobody for ever."""

from __future__ import annotations

import threading
import time

from retinue.server.ledger.door import Door

MANY = 5


def _enter(door: Door, order: list[str], name: str, *, first: bool = False) -> threading.Thread:
    def act() -> None:
        with door.enter(10.0, first=first) as entered:
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
        threads.append(_enter(door, order, "first", first=True))
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
        threads = [_enter(door, order, "other", first=number % 2 == 0) for number in range(MANY)]
        with door.enter(0.0) as again:
            time.sleep(0.05)
        before = list(order)
    for thread in threads:
        thread.join()

    assert (True, []) == (again, before)
    assert MANY == len(order)


def test_nobody_waits_longer_than_said() -> None:
    """
    Outside nobody waits longer than it said, whichever it waits for; afterwards the door is as it was.
    """
    door, found = Door(), list[bool]()

    def act(first: bool) -> None:
        with door.enter(0.05, first=first) as entered:
            found.append(entered)

    with door.enter(1.0):
        threads = [threading.Thread(target=act, args=(first,)) for first in (True, False, False)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5.0)
    act(False)

    assert [False, False, False, True] == found
