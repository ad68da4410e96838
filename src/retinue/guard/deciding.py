"""What a guard asks: something that decides, and that logs what it decided."""

from __future__ import annotations

from typing import Protocol

from retinue.decision import Decision
from retinue.kept import Known
from retinue.verifier import Question


class Log(Protocol):
    """Writes a decision to the request log."""

    def __call__(self, status: int | None, instead: Decision | None = None) -> None:
        """Write it with the status that the host answered, if it is known; or another decision instead."""


class Decider(Protocol):
    """What decides: the replica of this host, a node over HTTP, or a fake in tests."""

    def decide(self, question: Question) -> Decision | Known:
        """Decide, or return what is kept of it.

        Raises ``UnknownPermission`` or ``UnknownOrganization`` for a mistake in the question.
        """

    def hold(self, question: Question) -> tuple[Decision, Log]:
        """Decide, and leave it to the asker when the decision is logged: with the status of the answer."""

    def schemes(self, organization: str | None) -> tuple[str, ...]:
        """Return how tokens may be presented to an organization, or (``None``) to any."""

    def close(self) -> None:
        """Let go of what is open."""
