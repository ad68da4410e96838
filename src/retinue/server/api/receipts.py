"""Receipts: where a change that took access away holds, and since when."""

from __future__ import annotations

from retinue.server.api import limits, schemas
from retinue.server.api.operations import Call, operation
from retinue.server.api.waiting import Receipt, follow, longest_wait, preferred_wait, render
from retinue.server.nodes import receipts

ADDRESS = "/receipts/{receipt_id}"


@operation("GET", ADDRESS, permission="credential:read", response=Receipt, tag="receipts")
def get_receipt(call: Call, receipt_id: str) -> schemas.JSON:
    """Get a receipt; with `Prefer: wait=<seconds>` when it is complete, or after that time."""
    found = receipts.get(receipt_id, call.organization, call.actor.id)
    seconds = min(preferred_wait(call.request) or 0.0, longest_wait(found))
    if found.state == "pending":
        limits.allow(call.request, seconds + limits.START_SECONDS)
        found = follow(found, seconds, call.actor.id)
    return render(found)
