"""Webhooks of the organization: events of its audit log are sent to an address (Standard Webhooks)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from retinue.server.api import schemas
from retinue.server.api.answers import instant
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Call, operation
from retinue.server.credentials import rules as durations
from retinue.server.notifications import actions, queries
from retinue.server.notifications.queries import Delivery, Webhook

TAG = "webhooks"
LIST, ONE = "/webhooks", "/webhooks/{webhook_id}"
#: Whoever has events sent somewhere takes them out of here.
CHANGE = ("organization:update", "audit_log:export")
_URL = "Begins with https:// and leads to a public address, or into a network that the operator allows."
_EVENTS = "Names of events, such as `key.leaked`; `key.*` is all of a noun, `*` is everything."


class WebhookAnswer(schemas.Answer):
    """A webhook. Its secret is told once, when it is made."""

    id: str
    name: str
    url: str
    events: list[str]
    state: Literal["enabled", "disabled"]
    previous_secret_until: str | None = Field(description="Until then the secret before signs as well.")
    pending: int = Field(description="Messages on their way.")
    failed: int = Field(description="Messages that were given up within the last 30 days.")
    created_at: str


class WebhookList(schemas.Answer):
    """A page of webhooks, by name."""

    items: list[WebhookAnswer]
    next: str | None


class WebhookSecret(schemas.Answer):
    """A webhook with its new secret."""

    webhook: WebhookAnswer
    secret: str | None = Field(
        description="`whsec_` and base64; only here. Null in a repeated answer: rotate it then."
    )


class CreateWebhook(schemas.WithReason):
    """A webhook to create."""

    name: str
    url: str = Field(description=_URL)
    events: list[str] = Field(["*"], description=_EVENTS)


class UpdateWebhook(schemas.WithReason):
    """What is left out stays."""

    name: str | None = None
    url: str | None = Field(None, description=_URL)
    events: list[str] | None = Field(None, description=_EVENTS)


class RotateWebhook(schemas.WithReason):
    """How long the secret before signs beside the new one."""

    overlap: str | None = Field(
        None, description="A time such as `1h` or `7d`, the longest; `24h` if left out."
    )


class DeliveryAnswer(schemas.Answer):
    """One message to a webhook: whether it was taken, and if not, why and when it is tried again."""

    id: str = Field(description="`webhook-id` of the message, the same at each try.")
    event: str = Field(description="Id of the event in the audit log.")
    type: str
    state: Literal["pending", "done", "failed"]
    attempts: int
    next_at: str | None
    last_status: int | None
    last_error: str
    created_at: str
    ended_at: str | None


class DeliveryList(schemas.Answer):
    """A page of messages, the newest first."""

    items: list[DeliveryAnswer]
    next: str | None


class DeliveryFilter(schemas.ListQuery):
    """Filters of the list of messages."""

    state: Literal["pending", "done", "failed"] | None = None


@operation("GET", LIST, permission="organization:read", response=WebhookList, tag=TAG)
def list_webhooks(call: Call, query: schemas.ListQuery) -> schemas.JSON:
    """List the webhooks of the organization."""
    rows, following = page(
        queries.webhooks(call.organization),
        Listing("webhooks", call.organization, {}, ("name", "id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": _rendered(rows), "next": following}


@operation("POST", LIST, permission=CHANGE, response=WebhookSecret, status=201, tag=TAG)
def create_webhook(call: Call, body: CreateWebhook) -> schemas.JSON:
    """Create a webhook. Its secret stands in this answer and nowhere else."""
    made, secret = actions.create(
        call.tx, call.organization, name=body.name, url=body.url, events=body.events
    )
    return {"webhook": _one(made), "secret": secret}


@operation("GET", ONE, permission="organization:read", response=WebhookAnswer, tag=TAG)
def get_webhook(call: Call, webhook_id: str) -> schemas.JSON:
    """Get a webhook."""
    return _one(_find(call, webhook_id))


@operation("PATCH", ONE, permission=CHANGE, response=WebhookAnswer, tag=TAG)
def update_webhook(call: Call, webhook_id: str, body: UpdateWebhook) -> schemas.JSON:
    """Change name, address or events of a webhook."""
    row = _find(call, webhook_id)
    return _one(actions.update(call.tx, row, name=body.name, url=body.url, events=body.events))


@operation("POST", f"{ONE}/enable", permission=CHANGE, response=WebhookAnswer, tag=TAG)
def enable_webhook(call: Call, webhook_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Enable a webhook; it is sent what happens from now on."""
    return _one(actions.set_state(call.tx, _find(call, webhook_id), "enabled"))


@operation("POST", f"{ONE}/disable", permission="organization:update", response=WebhookAnswer, tag=TAG)
def disable_webhook(call: Call, webhook_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Disable a webhook; what is on its way to it is given up."""
    return _one(actions.set_state(call.tx, _find(call, webhook_id), "disabled"))


@operation("POST", f"{ONE}/rotate", permission=CHANGE, response=WebhookSecret, status=201, tag=TAG)
def rotate_webhook(call: Call, webhook_id: str, body: RotateWebhook) -> schemas.JSON:
    """Give a webhook another secret; the one before signs beside it for a day, or as long as is said."""
    overlap = None
    if body.overlap is not None:
        overlap = durations.duration_seconds(body.overlap, "overlap", zero=True)
    row, secret = actions.rotate(call.tx, _find(call, webhook_id), overlap)
    return {"webhook": _one(row), "secret": secret}


@operation("POST", f"{ONE}/test", permission="organization:update", response=WebhookAnswer, tag=TAG)
def test_webhook(call: Call, webhook_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Send a webhook an event of its own, `webhook.tested`, also if it is disabled."""
    row = _find(call, webhook_id)
    actions.test(call.tx, row)
    return _one(row)


@operation("DELETE", ONE, permission="organization:update", response=WebhookAnswer, tag=TAG)
def delete_webhook(call: Call, webhook_id: str, query: schemas.Reasoned) -> schemas.JSON:
    """Delete a webhook and its secret."""
    row = _find(call, webhook_id)
    told = _one(row)
    actions.delete(call.tx, row)
    return told


@operation("GET", f"{ONE}/deliveries", permission="organization:read", response=DeliveryList, tag=TAG)
def list_deliveries(call: Call, webhook_id: str, query: DeliveryFilter) -> schemas.JSON:
    """List what was sent to a webhook, is on its way, or was given up."""
    row = _find(call, webhook_id)
    rows, following = page(
        queries.deliveries(row, query.state),
        Listing(f"deliveries {row.id}", call.organization, query.filters(), ("-created_at", "-id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": [_delivery(each) for each in rows], "next": following}


@operation(
    "POST",
    f"{ONE}/deliveries/{{delivery_id}}/retry",
    permission="organization:update",
    response=DeliveryAnswer,
    tag=TAG,
)
def retry_delivery(call: Call, webhook_id: str, delivery_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Send what was given up, or waits, now."""
    return _delivery(actions.retry(call.tx, _find(call, webhook_id), delivery_id))


def _find(call: Call, ident: str) -> Webhook:
    return queries.webhook(call.organization, ident)


def _one(row: Webhook) -> schemas.JSON:
    return _rendered([row])[0]


def _rendered(rows: Sequence[Webhook]) -> list[schemas.JSON]:
    standing = queries.standing(row.id for row in rows)
    return [
        {
            "id": row.id,
            "name": row.name,
            "url": row.url,
            "events": row.events,
            "state": row.state,
            "previous_secret_until": instant(row.previous_until),
            "pending": standing[row.id][0],
            "failed": standing[row.id][1],
            "created_at": instant(row.created_at),
        }
        for row in rows
    ]


def _delivery(row: Delivery) -> schemas.JSON:
    return {
        "id": row.id,
        "event": row.event,
        "type": row.type,
        "state": row.state,
        "attempts": row.attempts,
        "next_at": instant(row.next_at) if row.state == "pending" else None,
        "last_status": row.last_status or None,
        "last_error": row.last_error,
        "created_at": instant(row.created_at),
        "ended_at": instant(row.ended_at),
    }
