"""Judges the history of a run. An acceptance is a violation iff its verification began after the promise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from retinue.replica.lease import EPSILON
from tests.cluster.history import PERIOD_SECONDS, Acceptance, Ending, Fault, History

#: On top of L(1+ε): one second that the protocol has for the way back, and what a machine needs on whose two
#: cores some twenty processes compete with clients that ask as fast as they can.
GRACE_SECONDS = 1.0
SCHEDULING_SECONDS = 1.5
NEVER_COMPLETE = "was never complete"


def judge(history: History, lease_seconds: float) -> list[str]:
    """Return what must not be, in words; nothing if all is well."""
    found = [
        f"{each.by} client on {each.node}: pass {each.number} allowed {late * 1e3:.1f} ms after its end was promised"
        for each, late in violations(history)
        if each.phase == "run" and each.by == "plain" and not history.passes[each.number].group
    ]
    run = [each for each in history.endings if each.phase == "run" and not each.group]
    found += [
        f"{each.operation} {each.numbers}: its receipt {NEVER_COMPLETE}"
        for each in run
        if not each.is_complete
    ]
    found += _late(run, history.faults, lease_seconds)
    found += [said for each in run for said in _undeserved(each, history.faults, history.behind)]
    return found + history.refusals


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


def _late(endings: list[Ending], faults: list[Fault], lease_seconds: float) -> list[str]:
    """A call waits for one lease at most, as long as the control plane runs."""
    bound = lease_seconds * (1 + EPSILON) + GRACE_SECONDS + SCHEDULING_SECONDS
    down = [each for each in faults if not each.node]
    return [
        f"{each.operation}: {each.returned - each.began:.2f} s until its receipt was complete, bound {bound:.2f} s"
        for each in endings
        if each.returned - each.began > bound and not _overlaps(down, each.began, each.returned)
    ]


def _undeserved(
    ending: Ending, faults: list[Fault], behind: Mapping[str, tuple[str, ...]] = MappingProxyType({})
) -> list[str]:
    """Only a node that could not be reached may have been waited out; without the control plane none can.

    A relay may have been for a node ``behind`` it. A follower that was killed may be, also while its successor is in touch: whichever comes first settles it.
    """
    killed = {each.follower for each in faults}
    found = []
    for each in ending.nodes:
        here = ("", each["node"], *behind.get(each["node"], ()))
        near = [fault for fault in faults if fault.node in here]
        if each["how"] != "lease_ended" or each["incarnation"] in killed:
            continue
        if not _overlaps(near, ending.called, ending.returned):
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
