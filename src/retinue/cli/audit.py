"""``retinue audit``: who changed what."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from retinue.cli import durations, lookup, output
from retinue.cli.options import DEFAULTS, Options
from retinue.cli.session import Session
from retinue.cli.shapes import AUDIT_EVENT
from retinue.client import operations as ops

app = App(name="audit", help="The audit log: each change, by whom, with which credential.")


@app.command(name="list")
def list_(
    *,
    actor: Annotated[str | None, Parameter(help="Only by this person (e-mail) or service account.")] = None,
    event: Annotated[str | None, Parameter(help="Only of this type, such as key.revoked.")] = None,
    subject: Annotated[str | None, Parameter(help="Only about the object with this id.")] = None,
    since: Annotated[str | None, Parameter(help="Such as 7d, or a time.", metavar="WHEN")] = None,
    until: Annotated[str | None, Parameter(help="Such as 1h, or a time.", metavar="WHEN")] = None,
    limit: Annotated[int | None, Parameter(help="At most so many (default 100).")] = 100,
    options: Options = DEFAULTS,
) -> None:
    """List the audit events."""
    session = Session(options, ops.LIST_AUDIT_EVENTS)
    query = {
        "actor": lookup.actor_id(session, actor) if actor else None,
        "type": event,
        "subject": subject,
        "since": durations.instant(since, "--since"),
        "until": durations.instant(until, "--until"),
    }
    output.show_list(session.pages(ops.LIST_AUDIT_EVENTS, None, query, limit), AUDIT_EVENT, options)
