"""Reads of the ledger: the audit log, with the personal part of each event beside it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery

from retinue.server.errors import NotFound
from retinue.server.ledger.catalogue import EVENTS
from retinue.server.ledger.models import AuditEvent, Change, Head

__all__ = [
    "AuditEvent",
    "Change",
    "Event",
    "counts_by_subject",
    "event",
    "events",
    "gone",
    "head",
    "last_at",
    "latest",
    "newest_of",
    "types_of",
    "view",
]

#: Revisions follow time, so that a time bounds them; but a clock may have been set back by so much.
_CLOCK_STEPS = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it is shown: the personal part merged in, or left out where it was erased.

    ``id`` is ``revision.n``; names are those of that time.
    """

    id: str
    revision: int
    at: datetime
    type: str
    actor_kind: str
    actor: str
    actor_name: str
    credential: str
    request: str
    channel: str
    address: str
    subject_kind: str
    subject: str
    subject_name: str
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
    without: Iterable[str] = (),
    actor: str | None = None,
    subject: str | None = None,
    subjects: Collection[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[AuditEvent]:
    """Return the events of an organization; the caller orders them by ``(-revision, -n)``.

    A type is one of the catalogue, or a family of them: ``key`` for all that begin with ``key.``.
    """
    rows = AuditEvent.objects.filter(organization=organization_id)
    if type is not None:
        rows = rows.filter(type__in=types_of(type))
    left_out = [name for each in without for name in types_of(each)]
    if left_out:
        rows = rows.exclude(type__in=left_out)
    if subjects is not None:
        rows = rows.filter(subject__in=subjects)
    if actor is not None:
        rows = rows.filter(actor=actor)
    if subject is not None:
        rows = rows.filter(subject=subject)
    dated = AuditEvent.objects.filter(organization=organization_id).values("revision")
    if since is not None:
        first = dated.filter(at__gte=since - _CLOCK_STEPS).order_by("at")[:1]
        rows = rows.filter(at__gte=since, revision__gte=Subquery(first))
    if until is not None:
        last = dated.filter(at__lt=until + _CLOCK_STEPS).order_by("-at")[:1]
        rows = rows.filter(at__lt=until, revision__lte=Subquery(last))
    return rows.select_related("personal")


def types_of(text: str) -> list[str]:
    """Return the types of a family, or the one type; a text that is neither stands for itself."""
    return [name for name in EVENTS if name.startswith(f"{text}.")] or [text]


def gone(organization_id: str, types: Collection[str], **before: str) -> QuerySet[AuditEvent, Any]:
    """Return the subjects of events of some types about what is no more, by what was said of it before."""
    named = {f"before__{name}": value for name, value in before.items()}
    rows = AuditEvent.objects.filter(organization=organization_id, type__in=types, **named)
    return rows.order_by().values_list("subject")


def counts_by_subject(
    organization_ids: Iterable[str], subjects: Iterable[str], since: datetime | None
) -> dict[str, int]:
    """Return how many events of these organizations are about each object, since an instant or ever."""
    rows = AuditEvent.objects.filter(
        organization__in=list(set(organization_ids)), subject__in=list(set(subjects))
    )
    if since is not None:
        rows = rows.filter(at__gte=since)
    counted = rows.values("subject").annotate(events=Count("id"))
    return {row["subject"]: row["events"] for row in counted}


def newest_of(organization: OuterRef, subject: OuterRef, type: str) -> Subquery:
    """Return what gives each row of another query the instant of the last event of a type about its object.

    It goes back through the events of this object alone, however many there are.
    """
    rows = AuditEvent.objects.filter(organization=organization, subject=subject, type=type)
    return Subquery(rows.order_by("-revision", "-n").values("at")[:1])


def event(organization_id: str, ident: str) -> AuditEvent:
    """Return one event. Raises :class:`NotFound`."""
    found = events(organization_id).filter(id=ident).first()
    if found is None:
        raise NotFound("audit event", ident)
    return found


def last_at() -> datetime | None:
    """Return the instant of the newest commit; ``None`` before the first."""
    newest = AuditEvent.objects.order_by("-revision", "-n").values_list("at", flat=True)
    return newest.first()


def latest(organization_id: str, limit: int, *, without: Iterable[str] = ()) -> list[Event]:
    """Return the newest events of an organization, but those of some types."""
    rows = events(organization_id).exclude(type__in=list(without))
    return [view(row) for row in rows.order_by("-revision", "-n")[:limit]]


def view(row: AuditEvent) -> Event:
    """Return an event with its personal part."""
    personal = getattr(row, "personal", None)
    data: dict[str, Any] = {} if personal is None else personal.data
    return Event(
        id=row.id,
        revision=row.revision,
        at=row.at,
        type=row.type,
        actor_kind=row.actor_kind,
        actor=row.actor,
        actor_name=data.get("actor_name", ""),
        credential=row.credential,
        request=row.request,
        channel=row.channel,
        address=data.get("address", ""),
        subject_kind=row.subject_kind,
        subject=row.subject,
        subject_name=data.get("subject_name", ""),
        reason=data.get("reason", ""),
        before=row.before | data.get("before", {}),
        after=row.after | data.get("after", {}),
    )
