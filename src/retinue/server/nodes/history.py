"""Is what a node says to have applied part of the history of this database?

A database that was restored from a backup has forgotten what came after it, and counts on from there. So
the number of a revision proves nothing; its mark does, which is random and stands in the database and on the
node.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from retinue.server.errors import Refused
from retinue.server.ledger import feed as ledger
from retinue.server.nodes.rules import Applied


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why the history of epoch ``under`` is in doubt; ``seen`` is the highest epoch that was seen with it."""

    cause: str
    under: int
    seen: int = 0
    detail: dict[str, Any] = field(default_factory=dict)


#: What may raise an epoch, in words.
CAUSES = {
    "installed": "the installation was made",
    "node_ahead": "a node has applied a revision that the database does not know",
    "checkpoint": "the file `checkpoint` in the home names a revision that the database does not know",
    "database_moved": "another database answers, or its server was promoted or restored to an instant",
    "declared": "an operator said that the database was restored",
}


#: A node may be ahead by so many epochs. The next epoch is above what it says, and numbers must not run out.
MOST_AHEAD = 1 << 20


class InDoubt(Exception):
    """What a node said cannot be recorded as applied: the history is in doubt."""

    def __init__(self, doubt: Doubt) -> None:
        super().__init__(doubt.cause)
        self.doubt = doubt


def doubt_about(node: str, applied: Applied) -> Doubt | None:
    """Return the doubt that follows from what a node says to have applied; ``None`` if it is known here.

    What belongs to an earlier epoch is not looked at: that node hands its journal over anyway. Refuses an
    epoch that no history has come to.
    """
    head = ledger.position()
    if applied.epoch < head.epoch:
        return None
    if applied.epoch > head.epoch + MOST_AHEAD:
        raise Refused("invalid_value", f"epoch {head.epoch} is in force", field="applied.epoch")
    is_within = applied.epoch == head.epoch and applied.revision <= head.revision
    if is_within and ledger.knows(applied.revision, applied.mark):
        return None
    detail = {"node": node, "applied": {"epoch": applied.epoch, "revision": applied.revision}}
    return Doubt("node_ahead", head.epoch, applied.epoch, detail)
