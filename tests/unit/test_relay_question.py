"""What a relay takes from a node that follows it: nothing for which those above would refuse the relay."""

from __future__ import annotations

import pytest

from retinue.node.children import Applied, Follower
from retinue.node.relay import MOST_FOLLOWERS, Question

OWN = "a" * 32


def follower(node: str = "leaf", parent: str = "", ago_ms: int = 5) -> Follower:
    """What a relay tells of a node behind it."""
    return Follower(node, parent, OWN, Applied(1, 1), ago_ms)


def mistake(*followers: Follower) -> str:
    """Return which field of a poll with these followers is wrong."""
    return Question("mid", OWN, Applied(1, 1), followers=followers).mistake()


def test_what_a_relay_tells_of_others_is_taken() -> None:
    """
    As many nodes as may, with the relay in between or without.
    """
    assert not mistake(follower(), follower(parent="mid"))
    assert not mistake(*[follower()] * MOST_FOLLOWERS)


@pytest.mark.parametrize(
    "told",
    [
        [follower("Bad Name!")],
        [follower("")],
        [follower(parent="Bad Name!")],
        [follower(ago_ms=-1)],
        [follower(ago_ms=1 << 62)],
        [follower()] * (MOST_FOLLOWERS + 1),
    ],
)
def test_what_would_be_refused_above_is_refused_here(told: list[Follower]) -> None:
    """
    Passed on, it would cost this relay its own polls, and all behind it their lease.
    """
    assert "followers" == mistake(*told)
