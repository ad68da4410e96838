"""Calls of every operation of webhooks and mails, for the tests that go through all operations."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from retinue.server.notifications.models import DONE, FAILED, Delivery, Mail
from tests.api.world import World

LIST = "/v1/webhooks"
#: Operation, method, what follows the address of a webhook, and the body.
ACTS: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "get_webhook": ("GET", "", None),
    "update_webhook": ("PATCH", "", {"name": "other"}),
    "enable_webhook": ("POST", "/enable", {}),
    "disable_webhook": ("POST", "/disable", {}),
    "rotate_webhook": ("POST", "/rotate", {}),
    "test_webhook": ("POST", "/test", {}),
    "delete_webhook": ("DELETE", "", None),
    "list_deliveries": ("GET", "/deliveries", None),
}
#: What the log says of a change.
SAYS = {
    "update_webhook": "updated",
    "enable_webhook": "enabled",
    "disable_webhook": "disabled",
    "rotate_webhook": "rotated",
    "test_webhook": "tested",
    "delete_webhook": "deleted",
    "retry_delivery": "retried",
}
CHANGES = ("create_webhook", *SAYS)
NEW = {"webhook.created", "webhook.rotated", "webhook.tested", "webhook.retried"}
GONE = {"webhook.tested", "webhook.deleted"}


def new(name: str) -> dict[str, Any]:
    """A webhook to create."""
    return {"name": name, "url": "https://hooks.example/x", "events": ["key.*"]}


def webhook(world: World, name: str) -> str:
    """Return the address of a new webhook. There is always room for one."""
    for each in world.owner.get(LIST).json["items"][15:]:
        world.owner.delete(f"{LIST}/{each['id']}")
    return f"{LIST}/{world.owner.post(LIST, new(name)).json['webhook']['id']}"


def target(world: World, operation: str, name: str) -> tuple[str, str, dict[str, Any] | None]:
    """Return method, address and body of a call that finds what it is about."""
    if operation == "create_webhook":
        return "POST", LIST, new(name)
    if operation in ("list_webhooks", "list_mails"):
        return "GET", "/v1/mails" if operation == "list_mails" else LIST, None
    path = webhook(world, name)
    if operation == "retry_delivery":
        return "POST", f"{path}/deliveries/{_failed(world, path)}/retry", {}
    if operation == "enable_webhook":
        world.owner.post(f"{path}/disable")
    method, tail, body = ACTS[operation]
    return method, path + tail, body


def _failed(world: World, path: str) -> str:
    now = timezone.now()
    row = Delivery.objects.create(
        id=f"msg_{secrets.token_hex(8)}",
        webhook=path.rpartition("/")[2],
        organization=world.organization.id,
        event=f"0.{secrets.randbelow(1 << 30)}",
        type="key.issued",
        state=FAILED,
        attempts=8,
        next_at=now,
        created_at=now,
        ended_at=now,
    )
    return row.id


def many_messages(world: World, count: int) -> str:
    """Return the id of a webhook that was sent so much; as many mails were sent too. None has failed."""
    ident, now = webhook(world, "busy").rpartition("/")[2], timezone.now()
    done: dict[str, Any] = {"organization": world.organization.id, "state": DONE, "next_at": now}
    Delivery.objects.bulk_create(
        [
            Delivery(
                id=f"msg_{each:016}",
                webhook=ident,
                event=f"{each}.0",
                type="key.issued",
                created_at=now - timedelta(seconds=each),
                **done,
            )
            for each in range(count)
        ],
        1000,
    )
    Mail.objects.bulk_create(
        [
            Mail(
                id=f"mail_{each:016}",
                recipient=world.owner.id,
                created_at=now - timedelta(seconds=each),
                **done,
            )
            for each in range(count)
        ],
        1000,
    )
    return ident


ALL = (*ACTS, "create_webhook", "list_webhooks", "list_mails", "retry_delivery")


def specimen(operation: str) -> Callable[[World], tuple[str, dict[str, Any] | None]]:
    """Return what makes the address and body of a call."""

    def make(world: World) -> tuple[str, dict[str, Any] | None]:
        _, path, body = target(world, operation, f"hook-{secrets.token_hex(6)}")
        return path, body

    return make


SPECIMENS = {name: specimen(name) for name in ALL}
