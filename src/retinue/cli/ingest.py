"""``retinue ingest``: ingest tokens of the organization, which only write, and only to their endpoints."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from retinue.cli import durations, token_life
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import CHANGE_DEFAULTS, DEFAULTS, ChangeOptions, Options
from retinue.cli.token_life import Expires, Form, Limit, Noun, Out
from retinue.client import credential_operations as ops

app = App(name="ingest", help="Ingest tokens of the organization: they only write, to their endpoints.")
NOUN = Noun("ingest", "ingest token", ops.INGEST)
token_life.add(app, NOUN)


@app.command(name="list")
def list_(*, limit: Limit = None, options: Options = DEFAULTS) -> None:
    """List the ingest tokens of the organization."""
    token_life.listed(NOUN, limit, options)


@app.command
def issue(
    *,
    endpoint: Annotated[
        tuple[str, ...], Parameter(help="Path that it may write to; /events/* also below.", negative="")
    ] = (),
    name: Annotated[str | None, Parameter(help="Name of the token.")] = None,
    expires: Expires = None,
    out: Out = None,
    format_: Form = "raw",
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Issue an ingest token. It is told once: into --out FILE, or alone on standard output."""
    if not endpoint:
        raise CommandError("where may it write?", "name one or more with --endpoint", Exit.USAGE)
    body: dict[str, object] = {
        "endpoints": list(endpoint),
        "name": name,
        "expires": durations.checked(expires, "--expires", never=True) if expires else None,
    }
    token_life.issued(NOUN, body, out, format_, options)
