"""The mails that people of the organization were sent, or could not be."""

from __future__ import annotations

from typing import Literal

from retinue.server.api import render, schemas
from retinue.server.api.answers import instant
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Call, operation
from retinue.server.directory import queries as directory
from retinue.server.notifications import queries

TAG = "mails"
State = Literal["pending", "done", "failed"]


class MailAnswer(schemas.Answer):
    """One mail: to whom, of which events, and what came of it. Its text is not kept."""

    id: str
    recipient: schemas.PrincipalRef | None
    events: list[str]
    state: State
    attempts: int
    next_at: str | None
    last_error: str
    created_at: str
    ended_at: str | None


class MailList(schemas.Answer):
    """A page of mails, the newest first."""

    items: list[MailAnswer]
    next: str | None


class MailFilter(schemas.ListQuery):
    """Filters of the list of mails."""

    state: State | None = None


@operation("GET", "/mails", permission=("organization:read", "user:read"), response=MailList, tag=TAG)
def list_mails(call: Call, query: MailFilter) -> schemas.JSON:
    """List the mails of the last 30 days: sent, on their way, or given up."""
    rows, following = page(
        queries.mails(call.organization, query.state),
        Listing("mails", call.organization, query.filters(), ("-created_at", "-id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    people = directory.principals(row.recipient for row in rows)
    events = queries.events_of(row.id for row in rows)
    items = [
        {
            "id": row.id,
            "recipient": render.ref(people.get(row.recipient)),
            "events": events[row.id],
            "state": row.state,
            "attempts": row.attempts,
            "next_at": instant(row.next_at) if row.state == "pending" else None,
            "last_error": row.last_error,
            "created_at": instant(row.created_at),
            "ended_at": instant(row.ended_at),
        }
        for row in rows
    ]
    return {"items": items, "next": following}
