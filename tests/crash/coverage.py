"""Whether a run has shown anything: how much of each thing happened, and how much had to."""

from __future__ import annotations

from collections import Counter

from tests.crash.history import KINDS, Call, History
from tests.crash.judge import judged

#: A run that did less has shown nothing.
MINIMA = {
    "kills of control": 2,
    "kills of serving": 1,
    "kills of follower": 2,
    "kills of worker": 2,
    "kills of supervisor": 1,
    "kills of everything": 1,
    "kills in the flight of a change": 4,
    "changes acknowledged": 300,
    "changes repeated until answered": 5,
    "verifications allowed": 1_000,
    "verifications denied": 1_000,
    "endings judged": 50,
    "verifications soon after an ending": 200,
}


def counts(history: History) -> dict[str, int]:
    """Return how much of each thing happened, under the names of ``MINIMA``."""
    killed = Counter(each.kind for each in history.kills)
    done = [call for call in history.calls if call.outcome == "done"]
    certain = {each.number: each.returned for each in judged(history)}
    return {
        **{f"kills of {kind}": killed[kind] for kind in KINDS},
        "kills in the flight of a change": sum(each.mid_request for each in history.kills),
        "changes acknowledged": len(done),
        "changes repeated until answered": sum(_was_repeated(call) for call in done),
        "verifications allowed": sum(each.allowed is True for each in history.verifications),
        "verifications denied": sum(each.allowed is False for each in history.verifications),
        "endings judged": len(certain),
        "verifications soon after an ending": sum(
            0 < each.began - certain.get(each.number, each.began) < 0.1 for each in history.verifications
        ),
    }


def shortfalls(history: History) -> dict[str, int]:
    """Return of what there was too little for the run to show anything."""
    found = counts(history)
    return {name: found[name] for name, least in MINIMA.items() if found[name] < least}


def _was_repeated(call: Call) -> bool:
    return call.attempts > 1 and call.with_key
