"""``retinue webhook``: where events are sent, signed. ``retinue mail``: who was told by mail."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from cyclopts import App, Parameter

from retinue.cli import confirm, durations, lookup, output
from retinue.cli.cells import Column, Shape
from retinue.cli.durations import ago
from retinue.cli.exits import CommandError, Exit
from retinue.cli.handover import Handover
from retinue.cli.options import (
    CHANGE_DEFAULTS,
    DANGER_DEFAULTS,
    DEFAULTS,
    ChangeOptions,
    DangerOptions,
    Options,
)
from retinue.cli.session import Session
from retinue.client import notifications as ops
from retinue.client.notifications import Delivery, Mail, Webhook, WebhookSecret

app = App(name="webhook", help="Addresses that events of the organization are sent to, signed.")
mail_app = App(name="mail", help="Mails that people were sent by the system itself.")

WEBHOOK = Shape[Webhook](
    columns=(
        Column("name", "name"),
        Column("state", "state"),
        Column("url", "url"),
        Column("events", "events"),
        Column("pending", "pending"),
        Column("failed", "failed"),
        Column("id", "id"),
    ),
    name=lambda webhook: webhook.name,
    id=lambda webhook: webhook.id,
)
DELIVERY = Shape[Delivery](
    columns=(
        Column("type", "type"),
        Column("event", "event"),
        Column("state", "state"),
        Column("attempts", "attempts"),
        Column("answered", "last_status"),
        Column("error", "last_error"),
        Column("next", "next_at", ago),
        Column("id", "id"),
    ),
    name=lambda delivery: delivery.type,
    id=lambda delivery: delivery.id,
)
MAIL = Shape[Mail](
    columns=(
        Column("to", "recipient.handle"),
        Column("state", "state"),
        Column("events", "events"),
        Column("attempts", "attempts"),
        Column("error", "last_error"),
        Column("made", "created_at", ago),
        Column("id", "id"),
    ),
    name=lambda mail: mail.id,
    id=lambda mail: mail.id,
)
State = Annotated[Literal["pending", "done", "failed"] | None, Parameter(help="Only in this state.")]
Limit = Annotated[int | None, Parameter(help="At most so many.")]
Events = Annotated[
    tuple[str, ...],
    Parameter(name="--event", help="Event that is sent: key.leaked, key.*, or *.", negative=""),
]
Out = Annotated[
    str | None,
    Parameter(
        help="File for the secret (mode 0600, never overwritten), or - to print it.",
        allow_leading_hyphen=True,
    ),
]


def find(session: Session, text: str) -> Webhook:
    """Return the webhook with this id or name."""
    known = session.look_all(ops.LIST)
    found = [each for each in known if text in (each.id, each.name)]
    if not found:
        raise lookup.missing("webhook", text, [each.name for each in known])
    return found[0]


@app.command(name="list")
def list_(*, limit: Limit = None, options: Options = DEFAULTS) -> None:
    """List webhooks, with what is on its way to each and what failed."""
    session = Session(options, ops.LIST)
    output.show_list(session.pages(ops.LIST, None, {}, limit), WEBHOOK, options)


@app.command
def get(webhook: str, /, *, options: Options = DEFAULTS) -> None:
    """Show one."""
    session = Session(options, ops.GET, ops.LIST)
    output.show_one(session.perform(ops.GET, {"id": find(session, webhook).id}), WEBHOOK, options)


@app.command
def create(
    name: str, url: str, /, *, event: Events = (), out: Out = None, options: ChangeOptions = CHANGE_DEFAULTS
) -> None:
    """Create a webhook. Its secret is told once: into --out FILE, or alone on standard output."""
    session = Session(options, ops.CREATE)
    body = {"name": name, "url": url, "events": list(event) or None}
    with Handover(out, nothing=session.is_try).ready() as handover:
        _tell(session, session.perform(ops.CREATE, None, body), handover, "created")
    session.next(f"retinue webhook test {name}")


@app.command
def rotate(
    webhook: str,
    /,
    *,
    overlap: Annotated[
        str | None, Parameter(help="How long the old secret signs beside it, such as 1h; at most 7d.")
    ] = None,
    out: Out = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Give a webhook another secret; the old one signs as well for a day."""
    session = Session(options, ops.ROTATE, ops.LIST)
    found = find(session, webhook)
    wanted = durations.checked(overlap, "--overlap") if overlap else None
    with Handover(out, nothing=session.is_try).ready() as handover:
        made = session.perform(ops.ROTATE, {"id": found.id}, {"overlap": wanted})
        _tell(session, made, handover, "rotated the secret of")


def _tell(session: Session, made: WebhookSecret, handover: Handover, done: str) -> None:
    facts = {"webhook": msgspec.to_builtins(made.webhook)}
    secret = "" if made.secret is None else made.secret.reveal()
    as_object = session.options.output in ("json", "jsonl", "yaml")
    if as_object and not handover.to_file:
        output.show_object({**facts, "secret": secret}, session.options)
    else:
        if secret:
            handover.give(secret, facts)
        if as_object:
            output.show_object(facts, session.options)
    session.say(f"{done} webhook {made.webhook.name} ({made.webhook.id})")
    if not secret and not session.is_try:
        session.say("the answer was repeated and tells no secret: rotate it")


@app.command
def edit(
    webhook: str,
    /,
    *,
    name: Annotated[str | None, Parameter(help="Another name.")] = None,
    url: Annotated[str | None, Parameter(help="Another address.")] = None,
    event: Events = (),
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Change name, address, or all the events of a webhook."""
    session = Session(options, ops.EDIT, ops.LIST)
    body = {"name": name, "url": url, "events": list(event) or None}
    if not any(body.values()):
        raise CommandError("nothing to change", "see: retinue webhook edit --help", Exit.USAGE)
    _done(session, session.perform(ops.EDIT, {"id": find(session, webhook).id}, body), "changed")


@app.command
def enable(webhook: str, /, *, options: ChangeOptions = CHANGE_DEFAULTS) -> None:
    """Send events again, from now on."""
    session = Session(options, ops.ENABLE, ops.LIST)
    _done(session, session.perform(ops.ENABLE, {"id": find(session, webhook).id}), "enabled")


@app.command
def disable(webhook: str, /, *, options: ChangeOptions = CHANGE_DEFAULTS) -> None:
    """Send nothing any more; what is on its way is given up."""
    session = Session(options, ops.DISABLE, ops.LIST)
    _done(session, session.perform(ops.DISABLE, {"id": find(session, webhook).id}), "disabled")


@app.command(name="test")
def try_out(webhook: str, /, *, options: ChangeOptions = CHANGE_DEFAULTS) -> None:
    """Send a test event, also if it is disabled."""
    session = Session(options, ops.TEST, ops.LIST)
    _done(session, session.perform(ops.TEST, {"id": find(session, webhook).id}), "a test is on its way to")
    session.next(f"retinue webhook deliveries {webhook}")


@app.command
def delete(webhook: str, /, *, options: DangerOptions = DANGER_DEFAULTS) -> None:
    """Delete a webhook and its secret."""
    session = Session(options, ops.DELETE, ops.LIST)
    found = find(session, webhook)
    confirm.one("delete", webhook, [f"{found.name} ({found.id})", found.url], options)
    _done(session, session.perform(ops.DELETE, {"id": found.id}), "deleted")


@app.command
def deliveries(
    webhook: str, /, *, state: State = None, limit: Limit = None, options: Options = DEFAULTS
) -> None:
    """List what was sent to a webhook, waits, or was given up, the newest first."""
    session = Session(options, ops.DELIVERIES, ops.LIST)
    path = {"id": find(session, webhook).id}
    output.show_list(session.pages(ops.DELIVERIES, path, {"state": state}, limit), DELIVERY, options)


@app.command
def retry(webhook: str, delivery: str, /, *, options: ChangeOptions = CHANGE_DEFAULTS) -> None:
    """Send what was given up once more, by its id."""
    session = Session(options, ops.RETRY, ops.LIST)
    path = {"id": find(session, webhook).id, "delivery_id": delivery}
    again = session.perform(ops.RETRY, path)
    session.say(f"{again.type} ({again.id}) is on its way again")
    session.show_change([again], DELIVERY)


@mail_app.command(name="list")
def list_mails(*, state: State = None, limit: Limit = None, options: Options = DEFAULTS) -> None:
    """List the mails of the last 30 days: sent, waiting, or given up."""
    session = Session(options, ops.LIST_MAILS)
    output.show_list(session.pages(ops.LIST_MAILS, None, {"state": state}, limit), MAIL, options)


def _done(session: Session, webhook: Webhook, done: str) -> None:
    session.say(f"{done} webhook {webhook.name} ({webhook.id})")
    session.show_change([webhook], WEBHOOK)
