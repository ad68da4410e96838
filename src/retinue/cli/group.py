"""``retinue group``: people and service accounts that get something together."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from retinue.cli.collection import Commands, Justification, Many
from retinue.cli.options import CHANGE_DEFAULTS, DANGER_DEFAULTS, ChangeOptions, DangerOptions
from retinue.cli.session import Session
from retinue.client.access import GROUPS

app = App(name="group", help="Groups, each by name or id. (What they give: retinue grant add group:NAME.)")
_commands = Commands(app, GROUPS, "grp")


@app.command
def add(
    group: str,
    /,
    *,
    member: Annotated[
        Many, Parameter(help="Person (e-mail) or service account.", negative="", required=True)
    ],
    expires: Annotated[str | None, Parameter(help="Until when, such as 30d.")] = None,
    justification: Justification = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Put people or service accounts into a group."""
    session = Session(options, GROUPS.add, GROUPS.list)
    _commands.put(session, _commands.find(session, group), member, expires, justification)


@app.command
def remove(
    group: str,
    /,
    *,
    member: Annotated[
        Many, Parameter(help="Person (e-mail) or service account.", negative="", required=True)
    ],
    options: DangerOptions = DANGER_DEFAULTS,
) -> None:
    """Take people or service accounts out of a group: they have nothing by it any more."""
    session = Session(options, GROUPS.remove, GROUPS.list)
    _commands.take(session, _commands.find(session, group), member, options)
