"""Reads of the ledger: the audit log, with the personal part of each event beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from retinue.server.errors import NotFound
from retinue.server.ledger.models import AuditEvent, Head

__all__ = ["AuditEvent", "EventView", "event", "events", "head", "view"]


@dataclass(frozen=True, slots=True)
class EventView:
    """An event as it is shown: the personal part merged in, or left out where it was erased."""

    event: AuditEvent
    actor_name: str
    address: str
    reason: str
    before: dict[str, Any]
    after: dict[str, Any]


def head() -> tuple[int, int]:
    """Return (epoch, revision) of the newest commit."""
    found = Head.objects.get(id=1)
    return found.epoch, found.revision


def events(
    organization_id: str,
    *,
    type: str | None = None,
    actor: str | None = None,
    subject: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[AuditEvent]:
    """Return the events of an organization; the caller orders them by ``(-revision, -n)``."""
    rows = AuditEvent.objects.filter(organization=organization_id)
    if type is not None:
        rows = rows.filter(type=type)
    if actor is not None:
        rows = rows.filter(actor=actor)
    if subject is not None:
        rows = rows.filter(subject=subject)
    if since is not None:
        rows = rows.filter(at__gte=since)
    if until is not None:
        rows = rows.filter(at__lt=until)
    return rows.select_related("personal")


def event(organization_id: str, ident: str) -> AuditEvent:
    """Return one event. Raises :class:`NotFound`."""
    found = events(organization_id).filter(id=ident).first()
    if found is None:
        raise NotFound("audit event", ident)
    return found


def view(row: AuditEvent) -> EventView:
    """Return an event with its personal part."""
    personal = getattr(row, "personal", None)
    data: dict[str, Any] = {} if personal is None else personal.data
    return EventView(
        row,
        data.get("actor_name", ""),
        data.get("address", ""),
        data.get("reason", ""),
        row.before | data.get("before", {}),
        row.after | data.get("after", {}),
    )
