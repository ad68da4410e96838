"""What a guard asks: something that decides, and that logs what it decided."""

from __future__ import annotations

import os
from typing import Protocol

import msgspec

from retinue.decision import Allowed, Caller, Decision, Denied
from retinue.kept import Known
from retinue.request_ids import RequestIds
from retinue.verifier import Question


class Refused(msgspec.Struct, frozen=True, gc=False):
    """A denial, and the id under which it stands in the request log, if it does."""

    decision: Denied
    request_id: str | None = None

    @property
    def caller(self) -> Caller | None:
        """Whose token it was."""
        return self.decision.caller


class Log(Protocol):
    """Writes a decision to the request log."""

    def __call__(self, status: int | None, instead: Refused | None = None) -> None:
        """Write it with the status that the host answered, if it is known; or another decision instead."""


class Decider(Protocol):
    """What decides: the replica of this host, a node over HTTP, or a fake in tests."""

    def decide(self, question: Question) -> Allowed | Refused | Known:
        """Decide, or return what is kept of it.

        Raises ``UnknownPermission`` or ``UnknownOrganization`` for a mistake in the question.
        """

    def hold(self, question: Question) -> tuple[Allowed | Refused, Log]:
        """Decide, and leave it to the asker when the decision is logged: with the status of the answer."""

    def schemes(self, organization: str | None) -> tuple[str, ...]:
        """Return how tokens may be presented to an organization, or (``None``) to any."""

    def close(self) -> None:
        """Let go of what is open."""


_ids = RequestIds()


def _forked() -> None:
    global _ids
    _ids = RequestIds()


os.register_at_fork(after_in_child=_forked)


def new_id() -> str:
    """Return an id for a denial."""
    return _ids.next()


def identified(decided: Decision) -> Allowed | Refused:
    """Return a decision; a denial that is logged with a new id."""
    if isinstance(decided, Allowed):
        return decided
    return Refused(decided, None if decided.caller is None else new_id())
