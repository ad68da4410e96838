"""The watch over a node's clock: what it must notice, what it must not call slow, and how soon."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retinue.replica import clocks
from retinue.replica.clocks import Clock, Point

_S = 1_000_000_000
#: What lies between arrival and arrival of two polls, by the length of a lease: L/8, at most 20 s.
PAUSES = st.sampled_from((0.25, 1.25, 7.5, 20.0))
Delay = Callable[[float], float]


def _observe(
    rate: float, seconds: float, pause: float, delay: Delay, known: Clock | None = None, ours: str = "ours"
) -> list[tuple[float, Clock]]:
    """Return what is known after each poll of a node whose clock runs at ``rate``."""
    clock, found = known or Clock(), []
    for number in range(int(seconds / pause)):
        sent = number * pause
        at = sent + delay(sent)
        point = Point(int((1e4 + at) * _S), int((7e3 + sent * rate) * _S), 0)
        clock = clocks.observe(clock, ours, point, int(at * 1e3))
        found.append((at, clock))
    return found


def _is_ever_slow(found: list[tuple[float, Clock]]) -> bool:
    return any(clock.is_slow for _, clock in found)


def _jitter(seed: int, most: float) -> Delay:
    chance = random.Random(seed)  # noqa: S311
    return lambda _at: chance.random() * most


@given(st.floats(0.976, 1.5), PAUSES, st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_a_clock_that_is_right_or_fast_is_never_slow(rate: float, pause: float, seed: int) -> None:
    """
    A clock that loses less than half of the margin gets its leases, however its polls are delayed up to 1 s.
    """
    found = _observe(rate, 900.0, pause, _jitter(seed, 1.0))

    assert not _is_ever_slow(found)
    assert "ok" == found[-1][1].state


@given(st.floats(0.0, 800.0), PAUSES)
@settings(max_examples=40, deadline=None)
def test_a_delay_that_stays_is_no_loss(since: float, pause: float) -> None:
    """
    All polls may be late by a second from some moment on.
    """
    assert not _is_ever_slow(_observe(1.0, 900.0, pause, lambda at: 1.0 if at > since else 0.0))


@given(st.floats(0.8, 0.97), PAUSES, st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_a_slow_clock_is_found(rate: float, pause: float, seed: int) -> None:
    """
    A steady loss of 3 to 20 % is found for every lease: within the time in which what it loses beyond ε/2
    exceeds what polls may be late, and three windows. It stays found.
    """
    found = _observe(rate, 900.0, pause, _jitter(seed, 0.1))
    window = max(15.0, 4 * pause) + 1.0
    expected = 1.1 / (0.975 - rate) + 3 * window

    first = next((at for at, clock in found if clock.is_slow), float("inf"))
    assert first <= expected
    assert all(clock.is_slow for at, clock in found if at >= first)


@pytest.mark.parametrize(("rate", "within"), [(0.95, 80.0), (0.8, 50.0)])
def test_how_soon_a_slow_clock_is_found(rate: float, within: float) -> None:
    """
    With the native lease: 5 %, beyond which the promise ends, within 80 s; 20 % within 50 s. The ratio is
    that since the clock began to be slow, not one that earlier hours water down.
    """
    right = _observe(1.0, 3_600.0, 1.25, _jitter(1, 0.05))[-1][1]
    clock, began = right, 3_600.0
    for number in range(200):
        at = began + number * 1.25
        point = Point(int((1e4 + at) * _S), int((7e3 + began + (at - began) * rate) * _S), 0)
        clock = clocks.observe(clock, "ours", point, int(at * 1e3))
        if clock.is_slow:
            break

    assert at - began <= within
    assert pytest.approx(rate, abs=0.02) == clock.ratio


@given(st.floats(0.8, 0.96), st.integers(0, 999))
@settings(max_examples=40, deadline=None)
def test_a_clock_that_is_right_again_gets_its_leases_back(rate: float, seed: int) -> None:
    """
    A slow clock that keeps pace again is accepted by itself, within a minute.
    """
    slow = _observe(rate, 300.0, 1.25, _jitter(seed, 0.05))[-1][1]
    clock, at = slow, 300.0
    while clock.is_slow and at < 1_000.0:
        at += 1.25
        point = Point(int((1e4 + at) * _S), int((7e3 + 300.0 * rate + at - 300.0) * _S), 0)
        clock = clocks.observe(clock, "ours", point, int(at * 1e3))

    assert slow.is_slow
    assert at - 300.0 <= 60.0


def test_late_polls_after_an_interruption_are_no_loss() -> None:
    """
    What a link has held back for a minute arrives at once when it is mended, with the clocks of back then.
    """
    clock = _observe(1.0, 60.0, 1.25, lambda _at: 0.01)[-1][1]
    held = [(120.0, sent) for sent in (61.0, 75.0, 90.0, 110.0)]
    after = [(120.0 + number, 120.0 + number) for number in range(1, 90)]
    for at, sent in [*held, *after]:
        point = Point(int((1e4 + at) * _S), int((7e3 + sent) * _S), 0)
        clock = clocks.observe(clock, "ours", point, int(at * 1e3))
        assert not clock.is_slow


def test_hosts_of_the_control_plane_are_told_apart() -> None:
    """
    Polls that reach one host and another are measured by each with its own clock; a clock of ours that runs
    fast beside the node's is as bad as a slow node. A host that is gone is forgotten.
    """
    clock = Clock()
    for number in range(400):
        at = number * 0.6
        ours = ("one", 1e4 + at) if number % 2 else ("two", 9e6 + at * 1.08)
        point = Point(int(ours[1] * _S), int((7e3 + at) * _S), 0)
        clock = clocks.observe(clock, ours[0], point, int(at * 1e3))
    slow = {each.clock_id for each in clock.watches if each.is_slow}
    assert ({"two"}, True) == (slow, clock.is_slow)

    later = clocks.observe(clock, "one", Point(int(2e4 * _S), int(1.7e4 * _S), 0), 240_000 + 601_000)
    assert not later.is_slow


def test_what_is_known_survives_the_row() -> None:
    """
    What a lease row holds is what was known; an empty or foreign text knows nothing.
    """
    clock = _observe(0.9, 120.0, 1.25, lambda _at: 0.01)[-1][1]

    assert clock == clocks.load(clocks.dump(clock))
    assert [Clock(), Clock()] == [clocks.load(""), clocks.load('{"no": 1}')]
