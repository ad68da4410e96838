"""Reads of notifications: webhooks, what is on its way to them, and mails."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Count, Q, QuerySet

from retinue.server.errors import NotFound
from retinue.server.notifications.models import FAILED, PENDING, Delivery, Mail, Notice, Webhook

__all__ = [
    "Delivery",
    "Mail",
    "Webhook",
    "deliveries",
    "events_of",
    "mails",
    "standing",
    "webhook",
    "webhooks",
]


def webhooks(organization_id: str) -> QuerySet[Webhook]:
    """Return the webhooks of an organization; the caller orders them by ``(name, id)``."""
    return Webhook.objects.filter(organization=organization_id)


def webhook(organization_id: str, ident: str) -> Webhook:
    """Return one webhook. Raises :class:`NotFound`."""
    found = webhooks(organization_id).filter(id=ident).first()
    if found is None:
        raise NotFound("webhook", ident)
    return found


def deliveries(webhook_: Webhook, state: str | None = None) -> QuerySet[Delivery]:
    """Return what was sent to a webhook, or is on its way; the caller orders it by ``(-created_at, -id)``."""
    rows = Delivery.objects.filter(webhook=webhook_.id)
    return rows if state is None else rows.filter(state=state)


def standing(webhook_ids: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return how much is on its way to each webhook, and how much has failed, in one query."""
    found = dict.fromkeys(webhook_ids, (0, 0))
    rows = Delivery.objects.filter(webhook__in=list(found), state__in=[PENDING, FAILED]).values("webhook")
    counted = rows.annotate(
        pending=Count("id", filter=Q(state=PENDING)), failed=Count("id", filter=Q(state=FAILED))
    )
    return found | {row["webhook"]: (row["pending"], row["failed"]) for row in counted}


def mails(organization_id: str, state: str | None = None) -> QuerySet[Mail]:
    """Return the mails of an organization; the caller orders them by ``(-created_at, -id)``."""
    rows = Mail.objects.filter(organization=organization_id)
    return rows if state is None else rows.filter(state=state)


def events_of(mail_ids: Iterable[str]) -> dict[str, list[str]]:
    """Return the ids of the events that each mail tells, in one query."""
    found: dict[str, list[str]] = {ident: [] for ident in mail_ids}
    for mail, event in (
        Notice.objects.filter(mail__in=list(found)).order_by("id").values_list("mail", "event")
    ):
        found[mail].append(event)
    return found
