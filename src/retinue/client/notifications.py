"""Webhooks and mail: what the API answers, as types, and its operations; see ``models``."""

from __future__ import annotations

from msgspec import Struct, field

from retinue.client.models import Page, PrincipalRef, Secret
from retinue.client.operations import Operation


class Webhook(Struct, kw_only=True):
    """An address that events are sent to."""

    id: str
    name: str
    url: str
    events: list[str] = field(default_factory=list)
    state: str
    previous_secret_until: str | None = None
    pending: int = 0
    failed: int = 0
    created_at: str | None = None


class WebhookSecret(Struct, kw_only=True):
    """A webhook with its new secret; none in a repeated answer."""

    webhook: Webhook
    secret: Secret | None = None


class Delivery(Struct, kw_only=True):
    """One message to a webhook."""

    id: str
    event: str
    type: str
    state: str
    attempts: int = 0
    next_at: str | None = None
    last_status: int | None = None
    last_error: str = ""
    created_at: str | None = None
    ended_at: str | None = None


class Mail(Struct, kw_only=True):
    """One mail to one person."""

    id: str
    recipient: PrincipalRef | None = None
    events: list[str] = field(default_factory=list)
    state: str
    attempts: int = 0
    next_at: str | None = None
    last_error: str = ""
    created_at: str | None = None
    ended_at: str | None = None


_LIST, _ONE = "/v1/webhooks", "/v1/webhooks/{id}"
_READ, _CHANGE = "organization:read", "organization:update"
LIST: Operation[Page[Webhook]] = Operation("GET", _LIST, _READ, Page[Webhook])
CREATE: Operation[WebhookSecret] = Operation("POST", _LIST, _CHANGE, WebhookSecret, True)
GET: Operation[Webhook] = Operation("GET", _ONE, _READ, Webhook)
EDIT: Operation[Webhook] = Operation("PATCH", _ONE, _CHANGE, Webhook)
ENABLE: Operation[Webhook] = Operation("POST", f"{_ONE}/enable", _CHANGE, Webhook)
DISABLE: Operation[Webhook] = Operation("POST", f"{_ONE}/disable", _CHANGE, Webhook)
ROTATE: Operation[WebhookSecret] = Operation("POST", f"{_ONE}/rotate", _CHANGE, WebhookSecret, True)
TEST: Operation[Webhook] = Operation("POST", f"{_ONE}/test", _CHANGE, Webhook)
DELETE: Operation[Webhook] = Operation("DELETE", _ONE, _CHANGE, Webhook)
DELIVERIES: Operation[Page[Delivery]] = Operation("GET", f"{_ONE}/deliveries", _READ, Page[Delivery])
RETRY: Operation[Delivery] = Operation("POST", f"{_ONE}/deliveries/{{delivery_id}}/retry", _CHANGE, Delivery)
LIST_MAILS: Operation[Page[Mail]] = Operation("GET", "/v1/mails", _READ, Page[Mail])
