"""Counting failed authentications: exact limits, bounded memory, and nobody locked out from elsewhere."""

from __future__ import annotations

import sys

import pytest

from retinue import attempts as module
from retinue.attempts import MOST_IN_A_ROW, MOST_OF_NETWORK, NETWORK_SECONDS, ROOM, ROW_SECONDS, Attempts
from retinue.network import neighbourhood

HERE, ELSEWHERE = "192.0.2.0/24", "198.51.100.0/24"


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def attempts(clock: Clock) -> Attempts:
    """No failure yet."""
    return Attempts(clock)


def test_network_is_paused_after_its_limit(attempts: Attempts, clock: Clock) -> None:
    """
    The 300th failure of a minute pauses a network, for the rest of that minute and for that network alone.
    """
    pauses = []
    for _ in range(MOST_OF_NETWORK):
        pauses.append(attempts.pause(HERE))
        attempts.failed(HERE)
    clock.now += 20.5

    assert {0} == set(pauses)
    assert (40, 0) == (attempts.pause(HERE), attempts.pause(ELSEWHERE))
    clock.now += NETWORK_SECONDS - 20.5
    assert 0 == attempts.pause(HERE)


def test_failures_of_an_old_minute_do_not_count(attempts: Attempts, clock: Clock) -> None:
    """
    A network that stays below its limit is never paused.
    """
    for _ in range(10):
        for _ in range(MOST_OF_NETWORK - 1):
            attempts.failed(HERE)
        clock.now += NETWORK_SECONDS

    assert 0 == attempts.pause(HERE)


def test_key_is_paused_after_a_row_of_failures(attempts: Attempts, clock: Clock) -> None:
    """
    A hundred failures in a row pause one key id from one network for an hour, and nothing else.
    """
    for _ in range(MOST_IN_A_ROW):
        attempts.failed(HERE, "kid")

    assert ROW_SECONDS == attempts.pause(HERE, "kid")
    assert (0, 0, 0) == (
        attempts.pause(HERE), attempts.pause(HERE, "other"), attempts.pause(ELSEWHERE, "kid"),
    )  # fmt: skip
    clock.now += ROW_SECONDS
    assert 0 == attempts.pause(HERE, "kid")


def test_row_is_counted_over_any_time(attempts: Attempts, clock: Clock) -> None:
    """
    Slow guessing is a row too: each failure keeps the row for another hour.
    """
    for _ in range(MOST_IN_A_ROW):
        attempts.failed(HERE, "kid")
        clock.now += ROW_SECONDS - 1

    assert 1 == attempts.pause(HERE, "kid")


def test_success_ends_the_row_and_nothing_else(attempts: Attempts) -> None:
    """
    A genuine token begins the row of its key id anew, in its own network; the network's count stays.
    """
    for _ in range(MOST_IN_A_ROW - 1):
        attempts.failed(HERE, "kid")
    attempts.succeeded(HERE, "kid")
    attempts.failed(HERE, "kid")
    row = attempts.pause(HERE, "kid")
    for _ in range(MOST_OF_NETWORK - MOST_IN_A_ROW):
        attempts.failed(HERE)

    assert 0 == row
    assert NETWORK_SECONDS == attempts.pause(HERE)


def test_memory_is_bounded(attempts: Attempts, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Guesses from ever new networks take the place of the oldest ones; a network that goes on is kept.
    """
    monkeypatch.setattr(module, "ROOM", 100)
    for _ in range(MOST_OF_NETWORK):
        attempts.failed(HERE, "kid")
    for n in range(99):
        attempts.failed(str(n), str(n))
    kept = attempts.pause(HERE)
    attempts.failed("one more")

    assert NETWORK_SECONDS == kept
    assert 0 == attempts.pause(HERE)


def test_full_tables_take_what_is_said(attempts: Attempts) -> None:
    """
    Both tables together, full, take less than 8 MB.
    """
    key = "0EXAMPLE0000"
    for n in range(ROOM):
        attempts.failed(f"2001:db8:{n:x}:1::/64", f"{key}{n}")
    tables = (attempts._networks._counts, attempts._rows._counts)
    size = sum(
        sys.getsizeof(table) + sum(sys.getsizeof(k) + sys.getsizeof(v) + 24 + sys.getsizeof(v[1]) for k, v in table.items())
        for table in tables
    ) + ROOM * 2 * sys.getsizeof(f"2001:db8:{ROOM:x}:1::/64")  # fmt: skip

    assert [ROOM, ROOM] == [len(table) for table in tables]
    assert size < 8 << 20


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("nonsense", ""),
    ],
)
def test_neighbourhood(address: str, network: str) -> None:
    """
    An address stands for its /24 or its /64; what is no address is one network of its own.
    """
    assert network == neighbourhood(address)
