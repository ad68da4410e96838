"""Sends what is on its way to webhooks: signed, at least once, the same id each time, and not for ever."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from standardwebhooks.webhooks import Webhook as Signer

from retinue import __version__
from retinue.sealing import unseal
from retinue.server import egress
from retinue.server.credentials.actions import peppers
from retinue.server.directory.queries import Organization
from retinue.server.ledger.queries import AuditEvent
from retinue.server.ledger.transaction import one_writer
from retinue.server.nodes import wake
from retinue.server.notifications import claiming, rules
from retinue.server.notifications.models import DONE, FAILED, PENDING, Delivery, Webhook

#: Webhooks that are called at once.
CALLS = 4


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one try: the status that was answered, or why there is none."""

    status: int = 0
    error: str = ""
    #: Trying again changes nothing.
    is_final: bool = False

    @property
    def is_taken(self) -> bool:
        """Whether the receiver has it."""
        return 200 <= self.status < 300


def claim(now: datetime) -> list[Delivery]:
    """Take deliveries that are due, the oldest first, for this process alone."""
    return claiming.claim(Delivery, now)


def send_due(now: Callable[[], datetime]) -> int:
    """Try everything that is due once; return how much that was."""
    if not Delivery.objects.filter(state=PENDING, next_at__lte=now()).exists():
        return 0
    taken = claim(now())
    of: dict[str, list[Delivery]] = {}
    for row in taken:
        of.setdefault(row.webhook, []).append(row)
    with ThreadPoolExecutor(CALLS, "retinue-webhook") as pool:
        list(pool.map(lambda rows: _send_in_turn(rows, now), of.values()))
    return len(taken)


def _send_in_turn(rows: list[Delivery], now: Callable[[], datetime]) -> None:
    """Send to one webhook in the order of events; when it fails, the others wait for its next try."""
    try:
        webhook = Webhook.objects.filter(id=rows[0].webhook).first()
        for place, row in enumerate(rows):
            result = _try(webhook, row, now())
            wait = settle(row, result, now())
            if wait is not None and not result.is_taken:
                _put_off(rows[place + 1 :], row.webhook, now() + wait)
                return
    finally:
        connection.close()  # of this thread, which ends


def _try(webhook: Webhook | None, row: Delivery, now: datetime) -> Result:
    event = AuditEvent.objects.filter(id=row.event).first()
    if webhook is None or (webhook.state != "enabled" and row.type != "webhook.tested"):
        return Result(error="the webhook was disabled or deleted", is_final=True)
    if event is None:
        return Result(error="the event is kept no longer", is_final=True)
    body = payload(event)
    secrets = secrets_of(webhook, now)
    if not secrets:
        return Result(
            error="the secret cannot be opened with the peppers of this installation", is_final=True
        )
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"Retinue/{__version__}",
        "webhook-id": row.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Signer(each).sign(row.id, now, body) for each in secrets),
    }
    wake.release_connection()  # whoever answers slowly keeps no connection to the database
    try:
        answer = egress.post(webhook.url, body.encode(), headers, settings.INSTALLATION.egress_allow)
    except egress.Unreachable as error:
        return Result(error=str(error))
    return Result(answer.status, "" if 200 <= answer.status < 300 else f"answered {answer.status}")


def secrets_of(webhook: Webhook, now: datetime) -> list[bytes]:
    """Return the secrets that sign now: the present one, and the one before while it is still valid."""
    held = [(webhook.pepper_id, bytes(webhook.sealed))]
    if webhook.previous_until is not None and webhook.previous_until > now:
        held.append((webhook.previous_pepper_id, bytes(webhook.previous_sealed)))
    found = []
    for pepper_id, sealed in held:
        pepper = peppers().get(pepper_id)
        opened = None if pepper is None else unseal(pepper, sealed, webhook.id)
        if opened is not None:
            found.append(opened)
    return found


def payload(event: AuditEvent) -> str:
    """Return what is sent of an event: who, what and which, by ids; no names and no free text of people."""
    handle = Organization.objects.filter(id=event.organization).values_list("handle", flat=True).first()
    data = {
        "id": event.id,
        "organization": {"id": event.organization, "handle": handle},
        "actor": {"kind": event.actor_kind, "id": event.actor, "credential_id": event.credential},
        "subject": {"kind": event.subject_kind, "id": event.subject},
        "before": event.before,
        "after": event.after,
        "request_id": event.request,
    }
    at = event.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"type": event.type, "timestamp": at, "data": data}, separators=(",", ":"))


def settle(row: Delivery, result: Result, now: datetime) -> timedelta | None:
    """Write down what came of a try; return the pause until the next one, ``None`` if there is none."""
    draw = random.random()  # noqa: S311
    wait = None if result.is_taken or result.is_final else rules.pause(row.attempts, draw)
    state = DONE if result.is_taken else PENDING if wait is not None else FAILED
    with one_writer(), transaction.atomic(durable=True):
        # Another process took it over after the time of a claim: then that one's word counts.
        Delivery.objects.filter(id=row.id, attempts=row.attempts, state=PENDING).update(
            state=state,
            next_at=now if wait is None else now + wait,
            last_status=result.status,
            last_error=result.error[:255],
            ended_at=now if wait is None else None,
        )
    return wait


def _put_off(rows: list[Delivery], webhook: str, until: datetime) -> None:
    """Let what waits for the same webhook wait as long, without counting a try for it."""
    with one_writer(), transaction.atomic(durable=True):
        for row in rows:
            Delivery.objects.filter(id=row.id, attempts=row.attempts, state=PENDING).update(
                attempts=row.attempts - 1, next_at=until
            )
        later = Delivery.objects.filter(webhook=webhook, state=PENDING, attempts=0)
        later.filter(next_at__lt=until).update(next_at=until)
