"""The audit log: what was changed, and which changes were refused."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from retinue.server.access.listing import handed_to
from retinue.server.api import schemas
from retinue.server.api.answers import instant
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Call, operation
from retinue.server.credentials.queries import ids_of_principal
from retinue.server.directory import queries as directory
from retinue.server.errors import Refused
from retinue.server.ledger import proving, queries
from retinue.server.ledger.catalogue import EVENTS

TAG = "audit-events"


class EventActor(schemas.Answer):
    """Who acted, as called at that time; the name is `null` once it is erased."""

    id: str
    kind: str
    name: str | None


class EventSubject(schemas.Answer):
    """What was acted upon, as called at that time; the name is `null` once it is erased."""

    kind: str
    id: str
    name: str | None


class EventEntry(schemas.Answer):
    """Where an event stands in the log that proves it, and what its entry is the hash of."""

    log: str
    index: int
    sequence: int = Field(description="Number of the event among those of its organization in this log.")
    record: str = Field(description="Canonical JSON; its SHA-256 is the entry.")
    personal: str | None = Field(description="Canonical JSON; its SHA-256 stands in the record.")


class AuditEvent(schemas.Answer):
    """One change, or one refused change."""

    id: str = Field(description="Revision and place in it, such as `12.1`.")
    revision: int
    at: str
    type: str
    actor: EventActor
    credential_id: str | None
    request_id: str | None
    channel: Literal["api", "console"] | None = Field(
        description="By which face; `null` for what Retinue did itself, and what a stranger tried."
    )
    address: str | None
    subject: EventSubject
    reason: str | None
    before: dict[str, Any]
    after: dict[str, Any]
    entry: EventEntry | None = Field(None, description="Only where it is asked for, and once it is there.")


class AuditEventList(schemas.Answer):
    """A page of the audit log, the newest first."""

    items: list[AuditEvent]
    next: str | None


class EventFilter(schemas.ListQuery):
    """Filters of the audit log."""

    type: str | None = Field(None, description="Such as `key.revoked`, or `key` for all of keys.")
    without: str | None = Field(
        None, description="Types, or families of them, that are left out, apart by commas: `session,receipt`."
    )
    actor: str | None = Field(None, description="Id, handle or e-mail address of a principal.")
    account: str | None = Field(
        None,
        description="Id or handle of a service account or user: what is about it, its credentials, "
        "roles, grants and memberships.",
    )
    subject: str | None = Field(None, description="Id of what was acted upon.")
    since: schemas.Instant | None = Field(None, description="From this instant on.")
    until: schemas.Instant | None = Field(None, description="Before this instant.")
    entries: bool = Field(False, description="With the entry of each event in the log that proves it.")


@operation("GET", "/audit-events", permission="audit_log:read", response=AuditEventList, tag=TAG)
def list_audit_events(call: Call, query: EventFilter) -> schemas.JSON:
    """List what was changed in the organization, the newest first."""
    filters = query.filters()
    entries = filters.pop("entries", False)
    rows, following = page(
        queries.events(call.organization, **_narrowed(call, filters)),
        Listing("events", call.organization, filters, ("-revision", "-n")),
        cursor=query.cursor,
        limit=query.limit,
    )
    proven = proving.entries_of(rows) if entries else {}
    return {"items": [_event(row) | {"entry": proven.get(row.id)} for row in rows], "next": following}


def _narrowed(call: Call, filters: dict[str, Any]) -> dict[str, Any]:
    """Return filters as the ledger takes them: with ids, and lists."""
    without = [each.strip() for each in (filters["without"] or "").split(",") if each.strip()]
    for each in without:
        if not set(queries.types_of(each)) <= EVENTS.keys():
            raise Refused("invalid_value", f"{each!r} is no type of event", field="query.without")
    narrowed: dict[str, Any] = {**filters, "without": without}
    account = narrowed.pop("account")
    if filters["actor"]:
        narrowed["actor"] = directory.id_of(call.organization, filters["actor"])
    if account:
        narrowed["subjects"] = _about(call.organization, directory.id_of(call.organization, account))
    return narrowed


def _about(organization: str, principal: str) -> list[str]:
    """Return the ids of a principal and of what is and was its own, in one query."""
    removed = queries.gone(organization, ["role.removed", "grant.deleted"], subject=principal)
    left = queries.gone(organization, ["member.removed"], principal_id=principal)
    own = ids_of_principal(organization, principal).union(*handed_to(principal), removed, left, all=True)
    return [principal, *(row[0] for row in own)]


@operation("GET", "/audit-events/{event_id}", permission="audit_log:read", response=AuditEvent, tag=TAG)
def get_audit_event(call: Call, event_id: str) -> schemas.JSON:
    """Get one event."""
    return _event(queries.event(call.organization, event_id))


def _event(row: queries.AuditEvent) -> schemas.JSON:
    view = queries.view(row)
    return {
        "id": row.id,
        "revision": row.revision,
        "at": instant(row.at),
        "type": row.type,
        "actor": {"id": row.actor, "kind": row.actor_kind, "name": view.actor_name or None},
        "credential_id": row.credential or None,
        "request_id": row.request or None,
        "channel": row.channel or None,
        "address": view.address or None,
        "subject": {"kind": row.subject_kind, "id": row.subject, "name": view.subject_name or None},
        "reason": view.reason or None,
        "before": view.before,
        "after": view.after,
    }
