"""What can be done about webhooks: create, change, enable, disable, rotate, test, try again, delete."""

from __future__ import annotations

import base64
import secrets
from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings

from retinue.sealing import seal
from retinue.server import egress
from retinue.server.credentials.actions import peppers
from retinue.server.directory.queries import Organization
from retinue.server.directory.rules import check_name, check_no_token
from retinue.server.errors import NotFound, Refused
from retinue.server.ids import new_id
from retinue.server.ledger.catalogue import EVENTS
from retinue.server.ledger.transaction import Transaction
from retinue.server.notifications import rules
from retinue.server.notifications.models import FAILED, PENDING, Delivery, Webhook

#: As long as the HMAC is strong; what is shown begins as the standard wants it.
SECRET_BYTES, SECRET_PREFIX = 32, "whsec_"


def create(
    tx: Transaction, organization_id: str, *, name: str, url: str, events: list[str]
) -> tuple[Webhook, str]:
    """Create a webhook; return it with its secret, which is told this once."""
    Organization.objects.select_for_update(no_key=True).get(id=organization_id)
    rows = Webhook.objects.filter(organization=organization_id)
    if rows.count() >= rules.WEBHOOKS_MOST:
        raise Refused("state_conflict", f"an organization has at most {rules.WEBHOOKS_MOST} webhooks")
    made = Webhook(
        id=new_id("wh"),
        organization=organization_id,
        name=_name(organization_id, name),
        url=_url(url),
        events=rules.check_events(events, EVENTS),
        created_at=tx.now,
        created_by=tx.actor.id,
    )
    secret = _put_secret(made)
    made.save(force_insert=True)
    _say(tx, made, "created", {}, _stated(made))
    return made, secret


def update(
    tx: Transaction, webhook: Webhook, *, name: str | None, url: str | None, events: list[str] | None
) -> Webhook:
    """Change what is given. What is on its way goes to the new address."""
    Organization.objects.select_for_update(no_key=True).get(id=webhook.organization)
    webhook = _locked(webhook)
    before = _stated(webhook)
    if name is not None:
        webhook.name = _name(webhook.organization, name, but=webhook)
    if url is not None:
        webhook.url = _url(url)
    if events is not None:
        webhook.events = rules.check_events(events, EVENTS)
    after = _stated(webhook)
    if after != before or url is not None:
        webhook.save()
        _say(tx, webhook, "updated", before, after)
    return webhook


def set_state(tx: Transaction, webhook: Webhook, state: str) -> Webhook:
    """Enable or disable a webhook; of what happens meanwhile nothing is sent later."""
    webhook = _locked(webhook)
    if webhook.state == state:
        return webhook
    before, webhook.state = webhook.state, state
    webhook.save()
    _say(tx, webhook, state, {"state": before}, {"state": state})
    return webhook


def rotate(tx: Transaction, webhook: Webhook, overlap_seconds: int | None) -> tuple[Webhook, str]:
    """Give a webhook another secret; the one before signs beside it for as long. A third one ends at once."""
    webhook = _locked(webhook)
    overlap = timedelta(seconds=rules.OVERLAP_USUAL_SECONDS if overlap_seconds is None else overlap_seconds)
    if overlap > rules.OVERLAP_MOST:
        raise Refused("invalid_value", f"at most {rules.OVERLAP_MOST.days} days", field="overlap")
    webhook.previous_sealed, webhook.previous_pepper_id = bytes(webhook.sealed), webhook.pepper_id
    webhook.previous_until = tx.now + overlap
    secret = _put_secret(webhook)
    webhook.save()
    _say(tx, webhook, "rotated", {}, {"previous_until": webhook.previous_until.isoformat()})
    return webhook, secret


def test(tx: Transaction, webhook: Webhook) -> None:
    """Have a webhook called with an event of its own."""
    _say(tx, webhook, "tested", {}, {})


def retry(tx: Transaction, webhook: Webhook, delivery_id: str) -> Delivery:
    """Try what has failed once more, from the first pause on. What is on its way is tried at once."""
    row = Delivery.objects.select_for_update(no_key=True).filter(webhook=webhook.id, id=delivery_id).first()
    if row is None:
        raise NotFound("delivery", delivery_id)
    if row.state not in (FAILED, PENDING):
        raise Refused("state_conflict", f"{row.id} was delivered")
    if row.state == FAILED:
        row.state, row.attempts, row.ended_at = PENDING, 0, None
    row.next_at = tx.now
    row.save()
    _say(tx, webhook, "retried", {}, {"delivery": row.id, "event": row.event})
    return row


def delete(tx: Transaction, webhook: Webhook) -> Webhook:
    """Delete a webhook with its secrets; what is on its way is not sent any more."""
    webhook = _locked(webhook)
    _say(tx, webhook, "deleted", _stated(webhook), {})
    ident = webhook.id
    webhook.delete()
    webhook.id = ident
    return webhook


def _locked(webhook: Webhook) -> Webhook:
    found = Webhook.objects.select_for_update(no_key=True).filter(id=webhook.id).first()
    if found is None:
        raise NotFound("webhook", webhook.id)
    return found


def _name(organization_id: str, name: str, but: Webhook | None = None) -> str:
    name = check_name(name)
    check_no_token(name, "name")
    taken = Webhook.objects.filter(organization=organization_id, name=name)
    if (taken if but is None else taken.exclude(id=but.id)).exists():
        raise Refused("duplicate_name", f"there is a webhook {name!r}", field="name")
    return name


def _url(url: str) -> str:
    check_no_token(url, "url")
    try:
        egress.check_url(url, settings.INSTALLATION.egress_allow)
    except egress.Forbidden as error:
        raise Refused("invalid_value", str(error), field="url") from None
    return url


def _put_secret(webhook: Webhook) -> str:
    secret = secrets.token_bytes(SECRET_BYTES)
    webhook.pepper_id, webhook.sealed = peppers().active.id, seal(peppers().active, secret, webhook.id)
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def _stated(webhook: Webhook) -> dict[str, object]:
    """Return what the audit log says of a webhook; a path may be as good as a secret and is left out."""
    parts = urlsplit(webhook.url)
    return {"name": webhook.name, "host": parts.netloc, "events": list(webhook.events)}


def _say(
    tx: Transaction, webhook: Webhook, verb: str, before: dict[str, object], after: dict[str, object]
) -> None:
    tx.record(
        f"webhook.{verb}",
        webhook.id,
        name=webhook.name,
        organization=webhook.organization,
        before=before,
        after=after,
    )
