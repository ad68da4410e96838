"""``retinue audit``: who changed what."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from cyclopts import App, Parameter

from retinue.cli import durations, exporting, lookup, output
from retinue.cli.options import DEFAULTS, Options
from retinue.cli.session import Session
from retinue.cli.shapes import AUDIT_EVENT
from retinue.client import operations as ops

app = App(name="audit", help="The audit log: each change, by whom, with which credential.")


Actor = Annotated[str | None, Parameter(help="Only by this person (e-mail) or service account.")]
Type = Annotated[str | None, Parameter(help="Only of this type, such as key.revoked.")]
About = Annotated[str | None, Parameter(help="Only about the object with this id.")]
Since = Annotated[str | None, Parameter(help="Such as 7d, or a time.", metavar="WHEN")]
Until = Annotated[str | None, Parameter(help="Such as 1h, or a time.", metavar="WHEN")]


@app.command(name="list")
def list_(
    *,
    actor: Actor = None,
    event: Type = None,
    subject: About = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int | None, Parameter(help="At most so many (default 100).")] = 100,
    options: Options = DEFAULTS,
) -> None:
    """List the audit events."""
    session = Session(options, ops.LIST_AUDIT_EVENTS)
    query = _query(session, actor, event, subject, since, until)
    output.show_list(session.pages(ops.LIST_AUDIT_EVENTS, None, query, limit), AUDIT_EVENT, options)


@app.command
def export(
    *,
    out: Annotated[
        str,
        Parameter(
            help="File (mode 0600, never overwritten), or - for standard output.", allow_leading_hyphen=True
        ),
    ],
    format_: Annotated[
        Literal["jsonl", "csv"], Parameter(name="--format", help="A JSON object a line, or rows.")
    ] = "jsonl",
    actor: Actor = None,
    event: Type = None,
    subject: About = None,
    since: Since = None,
    until: Until = None,
    options: Options = DEFAULTS,
) -> None:
    """Export the audit events, the newest first, whole: with what was before and after."""
    session = Session(options, ops.LIST_AUDIT_EVENTS)
    query = _query(session, actor, event, subject, since, until)
    pages = session.pages(ops.LIST_AUDIT_EVENTS, None, query)
    if out == "-":
        count = exporting.write(pages, sys.stdout, format_)
    else:
        with exporting.new_file(out) as stream:
            count = exporting.write(pages, stream, format_)
    session.say(f"exported {count} events" + ("" if out == "-" else f" to {out}"))


def _query(
    session: Session,
    actor: str | None,
    event: str | None,
    subject: str | None,
    since: str | None,
    until: str | None,
) -> dict[str, str | None]:
    return {
        "actor": lookup.actor_id(session, actor) if actor else None,
        "type": event,
        "subject": subject,
        "since": durations.instant(since, "--since"),
        "until": durations.instant(until, "--until"),
    }
