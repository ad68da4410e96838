"""What a run remembers. Instants are seconds of one clock, CLOCK_MONOTONIC of the harness.

Of the verifications only those are kept one by one that could be a violation: those that were allowed though
somebody had already asked for the end of the credential. The others are counted.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_RECENT = 12
#: A verification that begins so soon after a return is one of those that make the run worth something.
NEAR_SECONDS = 0.1
#: The group of passes that nobody ends.
STOCK = "stock"
#: Verifications are counted in periods of so many seconds.
PERIOD_SECONDS = 0.1


@dataclass(slots=True)
class Pass:
    """A token with the permission that is asked with it, and how the request for it looks.

    ``called`` is when the change that ends it was first sent, ``ended`` when its promise was read. ``group``
    names a control whose promise is false on purpose.
    """

    number: int
    request: bytes = field(repr=False)
    group: str = ""
    called: float | None = None
    ended: float | None = None
    #: What is asked beside the token, where it is not the usual question.
    asked: dict[str, Any] = field(default_factory=dict)

    @property
    def question(self) -> Any:
        """The body of the request."""
        return json.loads(self.request.partition(b"\r\n\r\n")[2])


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An allowed verification of a pass whose end had been asked for. ``by`` is the kind of client."""

    began: float
    node: str
    number: int
    by: str
    phase: str


@dataclass(frozen=True, slots=True)
class Ending:
    """A change that ended passes. ``began`` is the sending of the attempt that was answered."""

    operation: str
    numbers: tuple[int, ...]
    called: float
    began: float
    returned: float
    is_complete: bool
    nodes: tuple[dict[str, Any], ...]
    phase: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a node, or of the control plane (``node`` is empty), until everything was well again."""

    kind: str
    node: str
    began: float
    mended: float
    #: It was seen from outside that it had happened.
    is_confirmed: bool
    #: The follower that it killed; nobody hears of that one again.
    follower: str = ""


@dataclass(frozen=True, slots=True)
class Loss:
    """What the database lost: all that was made since ``began``, until the control plane worked on without it."""

    began: float
    mended: float

    def forgets(self, ending: Ending) -> bool:
        """Tell whether nobody may know of a change: the database lost it, and no node had confirmed it."""
        is_lost = self.began <= ending.returned <= self.mended
        return is_lost and all(each["how"] != "confirmed" for each in ending.nodes)


@dataclass
class History:
    """Everything that was remembered. Threads append; what they count together is under the lock."""

    passes: list[Pass] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)
    acceptances: list[Acceptance] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    #: What each verifier has counted; it alone writes there.
    counters: list[Counter[str]] = field(default_factory=list)
    #: The rate of each node's clock, as its polls told it.
    rates: dict[str, float] = field(default_factory=dict)
    #: Which nodes' clocks the control plane found slow, when one was.
    slow_clocks: dict[str, bool] = field(default_factory=dict)
    #: Passes that nobody ends, and how many of them were asked, and allowed, by node and period.
    stock: list[Pass] = field(default_factory=list)
    asked: Counter[tuple[str, int]] = field(default_factory=Counter)
    allowed: Counter[tuple[str, int]] = field(default_factory=Counter)
    #: Which nodes follow which relay.
    behind: dict[str, tuple[str, ...]] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)
    #: The database is being put back to an earlier state.
    is_restoring: bool = False
    #: When a machine's processes got no processor, and for how many seconds; the control planes' is "".
    starved: list[tuple[float, str, float]] = field(default_factory=list)
    #: The faults that the run is to see, and for how long they were injected.
    planned: tuple[str, ...] = ()
    seconds: float = 0.0
    #: What was seen too little of for longest.
    lacked: dict[str, int] = field(default_factory=dict)
    phase: str = "run"
    _flying: dict[int, Pass] = field(default_factory=dict)
    _ended: list[Pass] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def issued(self, request: bytes, group: str, asked: dict[str, Any] | None = None) -> Pass:
        """Note a pass that clients may present from now on."""
        with self._lock:
            made = Pass(len(self.passes), request, group, asked=asked or {})
            self.passes.append(made)
        return made

    def calling(self, passes: list[Pass]) -> None:
        """Note that the end of these passes is about to be asked for."""
        at = now()
        for each in passes:
            each.called = each.called or at
            self._flying[each.number] = each

    def returned(self, ending: Ending) -> None:
        """Note the promise that the passes of an ending are refused from now on."""
        self.endings.append(ending)
        for number in ending.numbers:
            ended = self.passes[number]
            ended.ended = ended.ended or ending.returned
            self._flying.pop(number, None)
            self._ended.append(ended)

    def abandoned(self, passes: list[Pass]) -> None:
        """Note that nobody will ever promise anything about these."""
        for each in passes:
            self._flying.pop(each.number, None)

    def pick(self, chance: random.Random) -> Pass:
        """Choose a pass to present: nine times in ten one that ended, ends, or was issued just now."""
        draw = chance.random()
        if draw < 0.15 and (flying := list(self._flying.copy().values())):
            return chance.choice(flying)
        if draw < 0.6 and self._ended:
            return chance.choice(self._ended[-_RECENT:])
        if draw < 0.9:
            return chance.choice(self.passes[-_RECENT:])
        return chance.choice(self.stock if draw < 0.99 else self.passes)

    def verified(
        self, counts: Counter[str], began: float, node: str, found: Pass, by: str, answer: str
    ) -> None:
        """Note one verification in ``counts`` and here; ``answer`` is ``allowed``, a reason, or empty."""
        counts[f"{by} on {node}"] += 1
        if found.ended is not None and 0 < began - found.ended < NEAR_SECONDS:
            counts["near"] += 1
        if answer == "allowed" and found.called is not None:
            self.acceptances.append(Acceptance(began, node, found.number, by, self.phase))
        if found.group == STOCK and by == "plain":
            place = (node, int(began / PERIOD_SECONDS))
            self.asked[place] += 1
            self.allowed[place] += answer == "allowed"
        counts[answer or "no answer"] += 1

    def was_restored(self, since: float) -> bool:
        """Tell whether the database may have lost what was made since an instant."""
        return self.is_restoring or any(each.mended > since for each in self.losses)

    def counts(self) -> Counter[str]:
        """Return what all verifiers have counted so far."""
        return sum((each.copy() for each in self.counters), Counter[str]())


def now() -> float:
    """Return the present instant."""
    return time.monotonic()
