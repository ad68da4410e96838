"""``retinue stats``: how often what was decided, the most frequent first."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from cyclopts import App, Parameter

from retinue.cli import durations, lookup, output
from retinue.cli.cells import Column, Shape
from retinue.cli.durations import ago
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import DEFAULTS, Options
from retinue.cli.session import Session
from retinue.client.models import Page
from retinue.client.traffic import TALLY, Count

app = App(name="stats", help="How often what was decided, the most frequent first.")
By = Literal["account", "credential", "reason", "path", "permission", "method", "node", "status"]

COUNT = Shape[Count](
    columns=(
        Column("value", "value"),
        Column("name", "name"),
        Column("allowed", "allowed"),
        Column("denied", "denied"),
        Column("last", "last_at", ago),
    ),
    name=lambda count: count.name or count.value or "",
    id=lambda count: count.value or "",
)


@app.default
def stats(
    *,
    by: Annotated[By, Parameter(help="What the counts are of.", show_default=True)] = "account",
    account: Annotated[str | None, Parameter(help="Only of this service account.")] = None,
    key: Annotated[str | None, Parameter(help="Only with this key.")] = None,
    decision: Annotated[
        Literal["allowed", "denied"] | None, Parameter(help="Only with this decision.")
    ] = None,
    reason: Annotated[str | None, Parameter(help="Only denied for this reason.")] = None,
    since: Annotated[str, Parameter(help="Such as 1h, or a time.", metavar="WHEN")] = "24h",
    until: Annotated[str | None, Parameter(help="Such as 5m, or a time.", metavar="WHEN")] = None,
    limit: Annotated[int, Parameter(help="At most so many (default 50).")] = 50,
    options: Options = DEFAULTS,
) -> None:
    """Count the decisions of the last day, or of another time."""
    if limit < 1 or limit > 200:
        raise CommandError(f"--limit {limit}: 1 to 200", "", Exit.USAGE)
    session = Session(options, TALLY)
    query = {
        "by": by,
        "account": lookup.account_id(session, account) if account else None,
        "credential": lookup.credential_id(session, key) if key else None,
        "decision": decision,
        "reason": reason,
        "since": durations.instant(since, "--since"),
        "until": durations.instant(until, "--until"),
        "limit": limit,
    }
    found = session.perform(TALLY, None, None, query)
    if options.output in ("json", "yaml"):
        output.show_object(msgspec.to_builtins(found), options)
    else:
        output.show_list([Page(found.items)], COUNT, options)
    part = "" if found.whole else ", not all of the time that was asked for: there are too many"
    session.say(f"{found.allowed} allowed, {found.denied} denied since {found.since}{part}")
