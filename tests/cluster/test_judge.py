"""The judge of the fault runs, with histories made by hand: what must not be is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.cluster.faults import KINDS, LEFT_OUT
from tests.cluster.history import STOCK, Acceptance, Ending, Fault, History, Loss
from tests.cluster.judge import controls, judge, shares
from tests.cluster.revokers import OPERATIONS
from tests.cluster.run import FORMS, MINIMA, shortfalls

LEASE = 2.0
CONFIRMED = {"node": "n1", "incarnation": "a", "how": "confirmed", "at": "", "waited_ms": 1.0}
WAITED = {**CONFIRMED, "how": "lease_ended"}
#: It returned at 20.0, or waited for n1, which was cut off, until 32.0.
QUICK = Ending("revoke", (0,), 19.0, 19.0, 20.0, True, (CONFIRMED,), "run")
SLOW = Ending("disable", (1,), 30.0, 30.0, 32.0, True, (WAITED,), "run")


def clean() -> History:
    """Return a history in which all is well, with what is nearly wrong."""
    history = History()
    for number in range(4):
        history.issued(b"", {2: "push only", 3: STOCK}.get(number, ""))
    history.faults = [
        Fault("partition", "n1", 29.5, 33.0, True),
        Fault("control stopped", "", 50.0, 60.0, True),
    ]
    history.calling(history.passes[:3])
    for each in (QUICK, SLOW):
        history.returned(each)
    allow(history, 20.0)  # begun with the return, answered later
    allow(history, 31.9, number=1)
    return history


def allow(history: History, began: float, **said: Any) -> None:
    """A node allowed a pass in a verification that began at an instant."""
    given = {"node": "n1", "number": 0, "by": "plain", "phase": "run", **said}
    history.acceptances.append(Acceptance(began, **given))


def end(history: History, of: Ending = QUICK, **said: Any) -> None:
    """Note one more ending."""
    history.endings.append(replace(of, **said))


def test_a_clean_history_passes() -> None:
    """
    What begins with the return at the latest is allowed; a node that is cut off may be waited out; a control
    plane that stands still excuses a late receipt; a follower that was killed is never heard again.
    """
    history = clean()
    history.faults.append(Fault("follower killed", "n2", 1.0, 2.0, True, follower="b"))
    end(history, nodes=({**WAITED, "node": "n2", "incarnation": "b"},))
    end(history, began=49.0, called=49.0, returned=61.0, nodes=(WAITED,))

    assert [] == judge(history, LEASE)


DOCTORED: dict[str, tuple[Callable[[History], None], str]] = {
    "allowed after the promise": (lambda h: allow(h, 20.0001), "pass 0 allowed 0.1 ms after its end was promised"),
    "allowed after the lease was waited out": (lambda h: allow(h, 32.001, number=1), "n1: pass 1 allowed 1.0 ms after"),
    "comes back much later": (lambda h: allow(h, 500.0, node="n3"), "on n3: pass 0 allowed 480000.0 ms"),
    "a receipt that never completes": (lambda h: end(h, is_complete=False), "never complete"),
    "a receipt that hangs": (lambda h: end(h, returned=23.7), "4.70 s until its receipt was complete, bound 4.60 s"),
    "a node in touch was waited out": (lambda h: end(h, nodes=(WAITED,)), "lease of n1 was waited for, 1.0 ms, and nothing was wrong"),
    "another node was cut off": (lambda h: end(h, SLOW, nodes=({**WAITED, "node": "n2"},)), "lease of n2 was waited for"),
    "waited out after it was mended": (lambda h: end(h, SLOW, called=33.1, began=33.1, returned=35.0), "nothing was wrong with it"),
    "a call was refused": (lambda h: h.refusals.append("POST /x: 404"), "POST /x: 404"),
}  # fmt: skip


@pytest.mark.parametrize("name", DOCTORED)
def test_a_doctored_history_does_not_pass(name: str) -> None:
    """
    Whatever must not be is found, and named.
    """
    history = clean()
    doctor, said = DOCTORED[name]
    doctor(history)

    (finding,) = judge(history, LEASE)
    assert said in finding


@pytest.mark.parametrize(
    ("how", "at", "count"), [("lease_ended", 19.5, 0), ("confirmed", 19.5, 1), ("lease_ended", 20.5, 1)]
)
def test_what_nobody_knows_is_no_finding(how: str, at: float, count: int) -> None:
    """
    A change that the database lost is known to the nodes that confirmed it, and to nobody else.
    """
    history = clean()
    history.endings[0] = replace(QUICK, nodes=({**CONFIRMED, "how": how},))
    history.faults.append(Fault("partition", "n1", 19.0, 21.0, True))
    history.losses = [Loss(at, 25.0)]
    allow(history, 30.0)

    assert count == len(judge(history, LEASE))


STARVED: dict[str, tuple[Callable[[History], None], str]] = {
    "the control plane": (lambda h: end(h, returned=23.7), ""),
    "the follower": (lambda h: end(h, nodes=(WAITED,)), "n1"),
}


@pytest.mark.parametrize("name", STARVED)
@pytest.mark.parametrize(("seconds", "is_excused"), [(0.6, True), (0.02, False)])
def test_a_machine_that_gives_no_processor_is_to_blame(name: str, seconds: float, is_excused: bool) -> None:
    """
    What a process waited for a processor in that time excuses as much delay, and no more; never an acceptance.
    """
    history = clean()
    doctor, machine = STARVED[name]
    doctor(history)
    history.starved = [(19.5, machine, seconds)]
    allow(history, 20.0001)

    assert (1 if is_excused else 2) == len(judge(history, LEASE))


def test_what_is_wrong_on_purpose_is_counted_apart() -> None:
    """
    A client that caches, a promise that was none, and a node of a later phase are controls, and no findings.
    """
    history = clean()
    history.passes[2].ended = 40.0
    allow(history, 20.1, by="cache")
    allow(history, 40.1, number=2)
    allow(history, 90.0, phase="no lease check")

    assert [] == judge(history, LEASE)
    assert {"cache": 1, "push only": 1, "no lease check": 1} == controls(history)


def test_the_share_of_valid_requests() -> None:
    """
    It is told for each kind of fault, of the node that had it, for as long as it had it.
    """
    history = clean()
    for began, node, answer in (
        (30.0, "n1", "allowed"),
        (31.0, "n1", "replica_stale"),
        (31.0, "n2", "allowed"),
        (40.0, "n1", "allowed"),
    ):
        history.verified(history.counts(), began, node, history.passes[3], "plain", answer)

    assert {"partition": (2, 0.5), "all the time": (4, 0.75)} == shares(history)


def test_an_empty_run_shows_nothing() -> None:
    """
    Without verifications, changes and faults that were seen to happen every minimum is missed.
    """
    planned = ("partition", "backup restored")

    assert {*MINIMA, *planned, *OPERATIONS} == set(shortfalls(History(planned=planned)))


def test_forms_together_see_every_kind_of_fault() -> None:
    """
    What short runs leave out is seen by one of them.
    """
    assert set() == frozenset.intersection(*LEFT_OUT.values())
    assert set(FORMS) == LEFT_OUT.keys()
    assert set.union(*map(set, LEFT_OUT.values())) <= {*KINDS, "database locked"}
