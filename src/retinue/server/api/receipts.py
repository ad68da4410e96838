"""Receipts: where a change that took access away holds, and since when."""

from __future__ import annotations

from retinue.server.api import limits, schemas
from retinue.server.api.operations import Call, operation
from retinue.server.api.waiting import Receipt, follow, longest_wait, preferred_wait, render
from retinue.server.errors import NotFound
from retinue.server.nodes import receipts

ADDRESS = "/receipts/{receipt_id}"


def _concerned(call: Call, receipt_id: str) -> str | None:
    """Return the caller's id for a receipt of its own change, or of one that concerns it as an operator."""
    try:
        found = _found(call, receipt_id)
    except NotFound:
        return None  # said to those who may read others
    is_own = found.actor == call.actor.id or found.organization != call.organization
    return call.actor.id if is_own else None


def _found(call: Call, receipt_id: str) -> receipts.Receipt:
    is_operator = call.actor.is_operator
    return receipts.get(receipt_id, call.organization, call.actor.id, is_operator=is_operator)


@operation("GET", ADDRESS, permission="credential:read", or_own=_concerned, response=Receipt, tag="receipts")
def get_receipt(call: Call, receipt_id: str) -> schemas.JSON:
    """Get a receipt; with `Prefer: wait=<seconds>` when it is complete, or after that time."""
    found = _found(call, receipt_id)
    seconds = min(preferred_wait(call.request) or 0.0, longest_wait(found))
    if found.state == "pending":
        limits.allow(call.request, seconds + limits.START_SECONDS)
        found = follow(found, seconds, call.actor.id)
    return render(found)
