"""Limits of an account: counted by all workers of a host, shared among nodes, last of all steps."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from retinue.decision import Allowed, Denied
from retinue.limits import ROWS, WAYS, Limiter
from retinue.replica.narrowing import Rate
from retinue.replica.records import Rules
from retinue.token import Kind as TokenKind
from retinue.token import mint
from retinue.verifier import Question
from tests.unit.decided import KID, NOW, decide, own

MINUTE = NOW - NOW % 60_000


def admitted(limiter: Limiter, rate: Rate, at: int, calls: int, nodes: int = 1, account: str = "sa") -> int:
    """How many of so many calls at an instant are admitted."""
    quotas = [limiter.take(account, rate, at, nodes) for _ in range(calls)]
    return sum(quota is not None and not quota.retry_after for quota in quotas)


def test_so_many_in_a_second_and_no_more(tmp_path: Path) -> None:
    """
    The next second admits as many again; another account has a limit of its own.
    """
    limiter = Limiter(tmp_path, "a")
    rate = Rate(per_second=5)

    assert 5 == admitted(limiter, rate, MINUTE, 20)
    assert 5 == admitted(limiter, rate, MINUTE, 20, account="other")
    assert 0 == admitted(limiter, rate, MINUTE + 999, 1)
    assert 5 == admitted(limiter, rate, MINUTE + 1000, 20)


def test_a_minute_slides(tmp_path: Path) -> None:
    """
    At its turn nobody gets twice the limit: what was asked a moment ago still counts.
    """
    limiter = Limiter(tmp_path, "a")
    rate = Rate(per_minute=60)

    assert 60 == admitted(limiter, rate, MINUTE + 59_000, 100)
    assert 0 == admitted(limiter, rate, MINUTE + 60_000, 100)
    assert 30 == admitted(limiter, rate, MINUTE + 90_000, 100)
    assert 60 == admitted(limiter, rate, MINUTE + 240_000, 100)


def test_a_refused_call_costs_nothing(tmp_path: Path) -> None:
    """
    However often it is refused, the next window is whole.
    """
    limiter = Limiter(tmp_path, "a")
    rate = Rate(per_second=2, per_minute=100)
    for second in range(10):
        assert 2 == admitted(limiter, rate, MINUTE + second * 1000, 50)

    quota = limiter.take("sa", rate, MINUTE + 10_000, 1)
    assert quota is not None
    assert (2, 1, 1) == (quota.limit, quota.remaining, quota.window)


def test_workers_of_a_host_have_one_budget(tmp_path: Path) -> None:
    """
    Whichever of them is asked, in turn or at random; one that starts anew counts what it had counted.
    """
    limiters = [Limiter(tmp_path, name) for name in "abcd"]
    for limiter in limiters:
        limiter.refresh()
    rate = Rate(per_minute=100)
    drawn = random.Random(7)  # noqa: S311

    assert 100 == sum(admitted(drawn.choice(limiters), rate, MINUTE, 1) for _ in range(400))
    again = Limiter(tmp_path, "a")
    assert 0 == admitted(again, rate, MINUTE, 5)


@pytest.mark.parametrize(
    ("share", "limit", "nodes"), [(100, 100, 1), (50, 100, 2), (33, 100, 3), (1, 2, 5), (100, 100, 0)]
)
def test_a_node_admits_its_share(tmp_path: Path, share: int, limit: int, nodes: int) -> None:
    """
    The limit divided by the nodes that are live, one call at least.
    """
    assert share == admitted(Limiter(tmp_path, "a"), Rate(per_minute=limit), MINUTE, 500, nodes)


def test_the_tighter_limit_is_told(tmp_path: Path) -> None:
    """
    What is left, of how much, in which window, and when there is more.
    """
    limiter = Limiter(tmp_path, "a")
    rate = Rate(per_second=3, per_minute=4)
    told = [limiter.take("sa", rate, MINUTE + 500, 1) for _ in range(4)]
    later = [limiter.take("sa", rate, MINUTE + 1500, 1) for _ in range(2)]

    assert [(3, 2, 1, 0), (3, 1, 1, 0), (3, 0, 1, 0), (3, 0, 1, 1)] == [
        (each.limit, each.remaining, each.window, each.retry_after) for each in told if each
    ]
    assert [(4, 0, 60), (4, 0, 60)] == [(each.limit, each.remaining, each.window) for each in later if each]
    assert later[1] is not None
    assert 1 <= later[1].retry_after <= 60


def test_without_a_limit_nothing_is_counted(tmp_path: Path) -> None:
    """
    A rate without a number limits nothing.
    """
    assert Limiter(tmp_path, "a").take("sa", Rate(), MINUTE, 1) is None


def test_a_crowd_of_accounts_fits(tmp_path: Path) -> None:
    """
    With more accounts than there is room, those that were idle longest give way, and nothing fails.
    """
    limiter = Limiter(tmp_path, "a")
    for number in range(ROWS * WAYS // 8):
        assert 1 == admitted(limiter, Rate(per_minute=1), MINUTE, 2, account=f"sa_{number}")


def test_processes_of_a_program_have_counters_of_their_own(tmp_path: Path) -> None:
    """
    They count together with all others; one that has ended leaves its file, and what it counted, to the next.
    """
    first, second = Limiter.claim(tmp_path, "guard"), Limiter.claim(tmp_path, "guard")
    first.refresh()
    rate = Rate(per_minute=6)
    assert (2, 1) == (admitted(first, rate, MINUTE, 2), admitted(second, rate, MINUTE, 1))
    second.close()
    again, worker = Limiter.claim(tmp_path, "guard"), Limiter(tmp_path, "worker-0")

    assert ["guard-0.counts", "guard-1.counts", "worker-0.counts"] == sorted(
        path.name for path in tmp_path.iterdir()
    )
    assert (2, 1) == (admitted(again, rate, MINUTE, 2), admitted(worker, rate, MINUTE, 9))


def verdict(tmp_path: Path, limiter: Limiter, **asked: Any) -> Allowed | Denied:
    """Decide one call of an account that has 2 calls a minute."""
    token = mint(TokenKind.API_KEY, kid=KID)
    question = Question(token.reveal(), ("report:read",), **asked)
    credential = {"digests": (own(token.as_bytes()),)}
    return decide(
        question,
        take=limiter.take,
        organization={"rules": Rules(rate=Rate(per_minute=2))},
        credential=credential,
    )


def test_limits_are_the_last_step(tmp_path: Path) -> None:
    """
    What is denied for another reason is not counted; a call that is no caller's own is not, either.
    """
    limiter = Limiter(tmp_path, "a")
    for _ in range(5):
        assert isinstance(verdict(tmp_path, limiter, counts=False), Allowed)
        assert isinstance(verdict(tmp_path, limiter, kinds=frozenset({"pat"})), Denied)
    decisions = [verdict(tmp_path, limiter) for _ in range(3)]

    assert [Allowed, Allowed, Denied] == [type(each) for each in decisions]
    refused = decisions[-1]
    assert isinstance(refused, Denied)
    assert "rate_limited" == refused.reason.value
    assert refused.caller is not None
    assert [1, 0, 0] == [each.quota.remaining for each in decisions if each.quota]
