"""Judges the history of a run. An acceptance is a violation iff its verification began after the promise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from retinue.replica.lease import EPSILON
from tests.cluster.history import PERIOD_SECONDS, Acceptance, Ending, Fault, History
from tests.cluster.starving import starved

#: On top of L(1+ε): one second that the protocol has for the way back, and what a machine needs on whose two
#: cores some twenty processes compete with clients that ask as fast as they can.
GRACE_SECONDS = 1.0
SCHEDULING_SECONDS = 1.5
NEVER_COMPLETE = "was never complete"


def judge(history: History, lease_seconds: float) -> list[str]:
    """Return what must not be, in words; nothing if all is well."""
    found = _allowed(history)
    run = [each for each in history.endings if each.phase == "run" and not each.group]
    found += [
        f"{each.operation} {each.numbers}: its receipt {NEVER_COMPLETE}"
        for each in run
        if not each.is_complete
    ]
    found += _late(history, run, lease_seconds)
    found += [said for each in run for said in _undeserved(history, each, lease_seconds)]
    return found + history.refusals


def _allowed(history: History) -> list[str]:
    """Say of each pass that was allowed after its end was promised, how often, and what it was."""
    late: dict[int, list[tuple[Acceptance, float]]] = {}
    forgotten = _forgotten(history)
    for each, seconds in violations(history):
        is_plain = each.phase == "run" and each.by == "plain" and not history.passes[each.number].group
        if is_plain and each.number not in forgotten:
            late.setdefault(each.number, []).append((each, seconds))
    ended = {number: each for each in history.endings for number in each.numbers}
    return [
        f"{found[0][0].by} client on {found[0][0].node}: pass {number} allowed {found[0][1] * 1e3:.1f} ms after its end "
        f"was promised, and {len(found) - 1} times more, the last after {found[-1][1]:.2f} s; {ended[number]}; "
        f"{history.losses}"
        for number, found in late.items()
    ]


def _forgotten(history: History) -> set[int]:
    """Return the passes whose end no node had confirmed when the database lost it: nobody can know of it."""
    return {
        number
        for ending in history.endings
        if any(loss.forgets(ending) for loss in history.losses)
        for number in ending.numbers
    }


def violations(history: History) -> Iterable[tuple[Acceptance, float]]:
    """Return each acceptance whose verification began after the return, with how long after, in seconds."""
    for each in history.acceptances:
        ended = history.passes[each.number].ended
        if ended is not None and each.began > ended:
            yield each, each.began - ended


def controls(history: History) -> Counter[str]:
    """Return how many violations each negative control shows."""
    found: Counter[str] = Counter()
    for each, _ in violations(history):
        group = history.passes[each.number].group
        if each.phase != "run":
            found[each.phase] += 1
        elif group:
            found[group] += 1
        elif each.by != "plain":
            found[each.by] += 1
    return found


def _late(history: History, endings: list[Ending], lease_seconds: float) -> list[str]:
    """A call waits for one lease at most, as long as the control plane runs, and has a processor to run on."""
    bound = lease_seconds * (1 + EPSILON) + GRACE_SECONDS + SCHEDULING_SECONDS
    down = [each for each in history.faults if not each.node]
    found = []
    for each in endings:
        took = each.returned - each.began
        if took <= bound or _overlaps(down, each.began, each.returned):
            continue
        if took - starved(history, ("",), each.began, each.returned) > bound:
            found.append(
                f"{each.operation}: {took:.2f} s until its receipt was complete, bound {bound:.2f} s"
            )
    return found


def _undeserved(history: History, ending: Ending, lease_seconds: float) -> list[str]:
    """Only a node that could not be reached may have been waited out; without the control plane none can.

    A relay may have been for a node behind it. A follower that was killed may be, also while its successor is
    in touch: whichever comes first settles it. And one that got no processor for a quarter of its lease.
    """
    killed = {each.follower for each in history.faults}
    found = []
    for each in ending.nodes:
        here = ("", each["node"], *history.behind.get(each["node"], ()))
        near = [fault for fault in history.faults if fault.node in here]
        if each["how"] != "lease_ended" or each["incarnation"] in killed:
            continue
        if _overlaps(near, ending.called, ending.returned):
            continue
        if starved(history, here, ending.called - lease_seconds, ending.returned) > lease_seconds / 4:
            continue
        last = max((fault for fault in near if fault.mended < ending.called), key=_mended, default=None)
        found.append(
            f"{ending.operation}: the lease of {each['node']} was waited for, {each['waited_ms']} ms, and nothing was "
            f"wrong with it; before it was called, at {ending.called:.2f}: {last}"
        )
    return found


def _mended(fault: Fault) -> float:
    return fault.mended


def _overlaps(faults: list[Fault], began: float, ended: float) -> bool:
    return any(each.began <= ended and began <= each.mended for each in faults)


def shares(history: History) -> dict[str, tuple[int, float]]:
    """Return for each kind of fault how many tokens in force were asked at the node meanwhile, and the part allowed."""
    asked: Counter[str] = Counter()
    allowed: Counter[str] = Counter()
    for fault in history.faults:
        first, last = int(fault.began / PERIOD_SECONDS), int(fault.mended / PERIOD_SECONDS)
        for place, count in history.asked.items():
            if first <= place[1] <= last and fault.node in ("", place[0]):
                asked[fault.kind] += count
                allowed[fault.kind] += history.allowed[place]
    asked["all the time"], allowed["all the time"] = history.asked.total(), history.allowed.total()
    return {kind: (count, allowed[kind] / count) for kind, count in asked.items()}
