"""``retinue finding``: what is not as it should be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from cyclopts import App, Parameter

from retinue.cli import durations, output
from retinue.cli.cells import Column, Shape
from retinue.cli.durations import ago
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import CHANGE_DEFAULTS, DEFAULTS, ChangeOptions, Options
from retinue.cli.session import Session
from retinue.client import governance as ops
from retinue.client.effects import COUNT_FINDINGS, FindingCount
from retinue.client.governance import Finding

app = App(name="finding", help="What is not as it should be with accounts and credentials.")

FINDING = Shape[Finding](
    columns=(
        Column("severity", "severity"),
        Column("kind", "kind"),
        Column("subject", "subject.name"),
        Column("account", "subject.account.handle"),
        Column("since", "since", ago),
        Column("proposed", "proposed"),
        Column("id", "id"),
    ),
    name=lambda finding: finding.kind,
    id=lambda finding: finding.id,
)

COUNT = Shape[FindingCount](
    columns=(Column("severity", "severity"), Column("kind", "kind"), Column("open", "open")),
    name=lambda count: count.kind,
    id=lambda count: count.kind,
)


@app.command(name="list")
def list_(
    *,
    kind: Annotated[str | None, Parameter(help="Only of this kind, such as ownerless.")] = None,
    subject: Annotated[str | None, Parameter(help="Only about the account or key with this id.")] = None,
    state: Annotated[
        Literal["open", "accepted", "any"], Parameter(help="Open ones (default), accepted ones, or any.")
    ] = "open",
    limit: Annotated[int | None, Parameter(help="At most so many.")] = None,
    options: Options = DEFAULTS,
) -> None:
    """List what is found now."""
    session = Session(options, ops.LIST_FINDINGS)
    query = {"kind": kind, "subject": subject, "state": state}
    output.show_list(session.pages(ops.LIST_FINDINGS, None, query, limit), FINDING, options)


@app.command
def counts(*, options: Options = DEFAULTS) -> None:
    """Count what is open, by kind."""
    session = Session(options, COUNT_FINDINGS)
    output.show_list([session.perform(COUNT_FINDINGS)], COUNT, options)


@app.command
def resolve(
    finding: str,
    /,
    *,
    until: Annotated[
        str | None, Parameter(help="Answer for it until then: 30d, or a time.", metavar="WHEN")
    ] = None,
    reopen: Annotated[bool, Parameter(help="Take an exception back.", negative="")] = False,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Answer for a finding until a date, with --reason; or take that back."""
    if reopen == (until is not None):
        raise CommandError("either --until or --reopen", "such as --until 30d --reason TEXT", Exit.USAGE)
    session = Session(options, ops.REOPEN_FINDING if reopen else ops.ACCEPT_FINDING)
    if reopen:
        found = session.perform(ops.REOPEN_FINDING, {"id": finding})
        session.say(f"{found.id} is open again")
    else:
        found = session.perform(ops.ACCEPT_FINDING, {"id": finding}, {"until": _ahead(until or "")})
        session.say(f"{found.id} is accepted until {durations.clock(found.exception.until)}"
                    if found.exception else f"{found.id} is accepted")  # fmt: skip
    session.show_change([found], FINDING)
    session.next("retinue finding list")


def _ahead(text: str) -> str:
    """Return the instant that a duration from now, or a time, means."""
    try:
        at = datetime.now(UTC) + timedelta(seconds=durations.seconds(text, "--until"))
    except CommandError:
        return durations.instant(text, "--until") or ""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
