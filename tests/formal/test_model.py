"""The model of leases and receipts: the protocol holds in all states, and each mistake in it is found.

The checks are those of ``make formal``; formal/README.md says what is modelled and what is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from formal.check import AT_ONCE, CHECKS, HOLDS, LEASE, NOT_COMPLETE, Check, Outcome, read, run
from tests.support.requirements import requires

_MISTAKES = 15


def _id(check: Check) -> str:
    return f"{check.name}: {check.what}"


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Outcome]]]:
    """The checks that were asked for, as they end; as many run at once as in ``make formal``."""
    names = [item.name for item in request.session.items if item.path == request.path]
    checks = [check for check in CHECKS if any(f"[{_id(check)}]" in name for name in names)]
    pool = ThreadPoolExecutor(AT_ONCE)
    yield {check.name: pool.submit(run, check) for check in checks}
    pool.shutdown(cancel_futures=True)


@requires("spin", "gcc")
@pytest.mark.parametrize("check", CHECKS, ids=_id)
def test_a_check_ends_as_expected(outcomes: dict[str, Future[Outcome]], check: Check) -> None:
    """
    P1 and P2, P4 and P5 hold in every state of the protocol. With a mistake, or with a case denied, the check
    fails.
    """
    assert check.expected == outcomes[check.name].result().found


def test_every_mistake_has_a_check() -> None:
    """
    The 15 mistakes that a build must find all have one, and each is one form of the model.
    """
    numbers = {
        check.name.rstrip("ab") for check in CHECKS if check.expected != HOLDS and check.model == LEASE
    }

    assert set() == {str(number) for number in range(1, _MISTAKES + 1)} - numbers
    assert len(CHECKS) == len({(check.model, check.defines) for check in CHECKS})
    assert {f"epoch {number}" for number in range(1, 8)} <= {check.name for check in CHECKS}


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        (HOLDS, "State-vector 104 byte, depth reached 332, errors: 0\n  7872180 states, stored\n"),
        (NOT_COMPLETE, "Warning: Search not completed\nerrors: 0\n  7872180 states, stored\n"),
        (NOT_COMPLETE, "error: max search depth too small\nerrors: 0\n  7872180 states, stored\n"),
        (NOT_COMPLETE, "pan: invalid end state (at depth 3)\nerrors: 1\n  7872180 states, stored\n"),
        (NOT_COMPLETE, "7872180 states, stored\n"),
        ("P1 fails", "pan:1: assertion violated  !(node[n].began_after_receipt) (at depth 9)\n  7872180 states, stored\n"),
    ],
)  # fmt: skip
def test_only_a_complete_search_holds(expected: str, said: str) -> None:
    """
    A search that was cut short, by depth, memory or an error, never counts as one that found nothing.
    """
    assert (expected, 7_872_180) == read(said)
