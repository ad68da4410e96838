"""What the clients of a run remember: every change with its answer, every question, every strike.

Instants are seconds of this process' monotonic clock, one clock for all threads.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

JSON = dict[str, Any]
#: An object: ``account``, ``key`` or ``grant``, and its id.
Ref = tuple[str, str]
#: The fields of an object as far as a client knows them; ``None`` for an object that is gone.
State = Mapping[str, Any] | None
#: What is killed: the control plane, the process of it that answers, ..., `retinue serve` alone, everything.
KINDS = ("control", "serving", "follower", "worker", "supervisor", "everything")
#: Half of the questions are about so many tokens that were the last to end.
_RECENT = 12
Outcome = Literal["done", "refused", "unknown"]


@dataclass(frozen=True, slots=True)
class Call:
    """One change that a client wanted, over all attempts. ``event`` is the audit event that it makes once.

    ``mark`` is a text that stands in this event alone. ``states`` are the objects after the change: as the
    answer says, or as it would be where no answer came. ``revision`` is 0 where none was told.
    """

    event: str
    subject: str
    mark: str
    outcome: Outcome
    states: Mapping[Ref, State]
    revision: int = 0
    #: Method and path, and how often it was sent.
    request: tuple[str, str] = ("", "")
    attempts: int = 1
    with_key: bool = False
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Pass:
    """A token that the clients present. ``credential`` is empty for one that nobody issued."""

    number: int
    token: str = field(repr=False)
    credential: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class Ending:
    """A token that an acknowledged change has ended. ``began`` is when the answered attempt was sent."""

    number: int
    began: float
    returned: float


@dataclass(frozen=True, slots=True)
class Verification:
    """One question to the node. ``path`` is its own; ``allowed`` is ``None`` where no answer came."""

    number: int
    path: str
    began: float
    ended: float
    allowed: bool | None
    reason: str | None = None
    credential: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Kill:
    """One SIGKILL. ``mid_request``: sent while a client's change was on its way."""

    kind: str
    at: float
    mid_request: bool


@dataclass
class History:
    """Everything that was remembered; threads only ever append to it."""

    calls: list[Call] = field(default_factory=list)
    passes: list[Pass] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)
    verifications: list[Verification] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    #: From a kill that stops the feed until the follower was heard again.
    disturbances: list[tuple[float, float]] = field(default_factory=list)
    #: Tokens of which nobody knows whether they are in force.
    unsure: set[int] = field(default_factory=set)
    _ended: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def issued(self, token: str, credential: str = "", account: str = "") -> Pass:
        """Note a token, and return it with its number."""
        with self._lock:
            made = Pass(len(self.passes), token, credential, account)
            self.passes.append(made)
        return made

    def ended(self, number: int, began: float, returned: float) -> None:
        """Note that a token has ended."""
        self.endings.append(Ending(number, began, returned))
        self._ended.add(number)

    def is_ended(self, number: int) -> bool:
        """Tell whether an acknowledged change has ended the token."""
        return number in self._ended

    def pick(self, chance: random.Random) -> Pass | None:
        """Choose a token to present: mostly one of those that ended or were issued just now."""
        draw = chance.random()
        recent = self.endings[-_RECENT:] if draw < 0.5 else []
        if recent:
            return self.passes[chance.choice(recent).number]
        issued = self.passes[-2 * _RECENT :] if draw < 0.9 else self.passes
        return chance.choice(issued) if issued else None


def now() -> float:
    """Return the present instant."""
    return time.monotonic()
