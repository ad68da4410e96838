"""Taking back what was decided about an account in a review that is open."""

from __future__ import annotations

from retinue.server.errors import Refused
from retinue.server.governance.models import ReviewItem

#: Said instead of a decision.
UNDECIDED = "undecided"


def undecide(item: ReviewItem, note: str, assignee: str) -> None:
    """Take the decision from an item, with all that belongs to it; nothing is saved yet.

    Refuses where nothing is decided, and what belongs to a decision alone.
    """
    if not item.decision:
        raise Refused("state_conflict", "nothing is decided about this account")
    if note or assignee:
        raise Refused("invalid_value", f"not with `{UNDECIDED}`", field="note" if note else "assignee")
    item.decision, item.note, item.assignee = "", "", ""
    item.decided_by, item.decided_at = "", None
