"""``retinue pat``: the caller's own personal access tokens."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from retinue.cli import confirm, lookup, output
from retinue.cli.durations import ago
from retinue.cli.options import DANGER_DEFAULTS, DEFAULTS, DangerOptions, Options
from retinue.cli.session import Session
from retinue.cli.shapes import PERSONAL_TOKEN
from retinue.client import operations as ops

app = App(name="pat", help="My personal access tokens, by name or id.")


@app.command(name="list")
def list_(
    *,
    limit: Annotated[int | None, Parameter(help="At most so many.")] = None,
    options: Options = DEFAULTS,
) -> None:
    """List my personal access tokens."""
    session = Session(options, ops.LIST_MY_TOKENS)
    output.show_list(session.pages(ops.LIST_MY_TOKENS, None, None, limit), PERSONAL_TOKEN, options)


@app.command
def revoke(token: str, /, *, options: DangerOptions = DANGER_DEFAULTS) -> None:
    """Revoke one of my personal access tokens, by its name or id."""
    session = Session(options, ops.REVOKE_MY_TOKEN, ops.LIST_MY_TOKENS)
    found = lookup.personal_token(session, token)
    evidence = [f"{found.name} ({found.id}), {found.status}", f"last used: {ago(found.last_used_at)}"]
    confirm.one("revoke", token, evidence, options)
    gone = session.perform(ops.REVOKE_MY_TOKEN, {"id": found.id})
    session.say(f"revoked personal access token {gone.name} ({gone.id})")
    session.show_change([gone], PERSONAL_TOKEN)
    session.next("retinue pat list")
