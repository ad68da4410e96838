"""``retinue audit``: who changed what."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from cyclopts import App, Parameter

from retinue.cli import durations, exporting, lookup, output, proving
from retinue.cli.cells import clean
from retinue.cli.exits import CommandError, Exit
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
    proofs: Annotated[
        bool, Parameter(help="With what proves them, for `audit verify --file`.", negative=())
    ] = False,
    options: Options = DEFAULTS,
) -> None:
    """Export the audit events, the newest first, whole: with what was before and after."""
    if proofs:
        _export_proven(options, out, format_, actor, event, subject, since, until)
        return
    session = Session(options, ops.LIST_AUDIT_EVENTS)
    query = _query(session, actor, event, subject, since, until)
    pages = session.pages(ops.LIST_AUDIT_EVENTS, None, query)
    if out == "-":
        count = exporting.write(pages, sys.stdout, format_)
    else:
        with exporting.new_file(out) as stream:
            count = exporting.write(pages, stream, format_)
    session.say(f"exported {count} events" + ("" if out == "-" else f" to {out}"))


@app.command
def checkpoint(*, options: Options = DEFAULTS) -> None:
    """Print the newest checkpoint of the log that proves the events, to be kept elsewhere."""
    session = Session(options, ops.GET_AUDIT_LOG)
    found = session.perform(ops.GET_AUDIT_LOG)
    if not found.logs or found.logs[-1].checkpoint is None:
        raise CommandError("nothing is signed yet", "try again in a second", Exit.CONFLICT)
    print(found.logs[-1].checkpoint, end="")


@app.command
def verify(
    *,
    file: Annotated[str | None, Parameter(help="An export with --proofs, instead of the server.")] = None,
    checkpoints: Annotated[
        list[str] | None, Parameter(name="--checkpoint", help="File with a checkpoint that was kept.")
    ] = None,
    keys: Annotated[
        list[str] | None,
        Parameter(name="--key", help="Key of the log: NAME+ID+BASE64. No other is believed."),
    ] = None,
    options: Options = DEFAULTS,
) -> int:
    """Check that no event was changed, dropped or planted: exit code 7, and what is wrong, if it was.

    Without --file the server is asked for all events, and its log must go on from the checkpoint of the last
    time, which is kept on this host.
    """
    known = proving.read_checkpoints(checkpoints or [])
    if file is not None:
        found, told = proving.check_file(file, known, keys or [])
    else:
        session = Session(options, ops.GET_AUDIT_LOG, ops.LIST_PROVEN_EVENTS, ops.LIST_AUDIT_LOG_ENTRIES)
        found, told = proving.check_server(session, known, keys or [])
    for each in found:
        print(clean(each), file=sys.stderr)
    if found:
        return Exit.NEGATIVE
    print(clean(told))
    return Exit.DONE


def _export_proven(
    options: Options,
    out: str,
    format_: str,
    actor: str | None,
    event: str | None,
    subject: str | None,
    since: str | None,
    until: str | None,
) -> None:
    if format_ != "jsonl":
        raise CommandError("--proofs: JSON lines only", "leave --format out", Exit.USAGE)
    session = Session(options, ops.LIST_PROVEN_EVENTS, ops.GET_AUDIT_LOG, ops.LIST_AUDIT_LOG_ENTRIES)
    query = _query(session, actor, event, subject, since, until)
    lines = proving.lines(session, query)
    if out == "-":
        count = proving.write(lines, sys.stdout)
    else:
        with exporting.new_file(out) as stream:
            count = proving.write(lines, stream)
    session.say(f"exported {count} events, with what proves them" + ("" if out == "-" else f", to {out}"))


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
