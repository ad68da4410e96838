"""How long a call waits until its change holds everywhere, and the receipt that says where it does."""

from __future__ import annotations

import re
from typing import Literal

from django.http import HttpRequest
from pydantic import Field

from retinue.server.api import limits, schemas
from retinue.server.api.answers import instant
from retinue.server.errors import Refused
from retinue.server.nodes import receipts

#: A call waits this much longer than the longest lease, for the way back.
GRACE_SECONDS = 1.0


class Settled(schemas.Answer):
    """One incarnation of a node, and why it does not decide without the change any more."""

    node: str
    incarnation: str
    how: Literal["confirmed", "lease_ended", "waiting"]
    at: str | None
    waited_ms: float | None
    behind: list[str] = Field(
        [], description="Of a relay: nodes that follow it and had not applied the change."
    )


class Receipt(schemas.Answer):
    """Where a change holds. Read `state`, not the status alone: pending is committed, not yet promised."""

    id: str
    epoch: int
    revision: int
    change: str
    subject: str
    complete: bool
    state: Literal["pending", "complete"]
    committed_at: str
    completed_at: str | None
    bound: str
    nodes: list[Settled]


def render(receipt: receipts.Receipt) -> schemas.JSON:
    """Return a receipt as it stands in answers."""
    return {
        "id": receipt.id,
        "epoch": receipt.epoch,
        "revision": receipt.revision,
        "change": receipt.change,
        "subject": receipt.subject,
        "complete": receipt.state == "complete",
        "state": receipt.state,
        "committed_at": instant(receipt.committed_at),
        "completed_at": instant(receipt.completed_at),
        "bound": f"{receipt.bound_seconds:g}s",
        "nodes": receipt.nodes,
    }


def longest_wait(receipt: receipts.Receipt | None) -> float:
    """Return the seconds after which a receipt is complete while this process runs."""
    return 0.0 if receipt is None else receipt.bound_seconds + GRACE_SECONDS


def follow(receipt: receipts.Receipt, seconds: float, principal: str) -> receipts.Receipt:
    """Wait for a receipt on behalf of a principal, if there is a place to wait; else look once."""
    with limits.WAITING_CHANGES.take(principal) as has_place:
        if has_place:
            return receipts.follow(receipt, seconds)
    return receipts.follow(receipt, 0.0)


def preferred_wait(request: HttpRequest) -> float | None:
    """Return the seconds that a call wants to wait for its receipt (RFC 7240); ``None``: to the end."""
    for preference in request.META.get("HTTP_PREFER", "").split(","):
        # What follows a semicolon belongs to the preference and says nothing to us.
        name, _, value = preference.partition(";")[0].strip().lower().partition("=")
        if name.strip() == "respond-async":
            return 0.0
        if name.strip() == "wait":
            if not re.fullmatch(r"[0-9]{1,4}", value.strip(), re.ASCII):
                raise Refused("invalid_value", "wait=<whole seconds>, at most 9999", field="header.Prefer")
            return float(value)
    return None
