"""What a transaction has said of one object, before its revision is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from retinue.server.ledger.catalogue import EventType


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event of the catalogue about one object, and what was before and after it."""

    type: EventType
    subject: str
    name: str
    organization: str
    before: dict[str, Any]
    after: dict[str, Any]
    reduces: bool

    @property
    def key(self) -> tuple[str, str]:
        """What it is, and of which object."""
        return self.type.name, self.subject

    def following(self, first: Recorded) -> Recorded:
        """Return the one event that says what ``first`` and then this one say."""
        return replace(
            self,
            before=self.before | first.before,
            after=first.after | self.after,
            reduces=first.reduces or self.reduces,
        )
