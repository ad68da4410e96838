"""``retinue team``: teams, and the resources that belong to them."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from retinue.cli import confirm, output
from retinue.cli.access_shapes import RESOURCE
from retinue.cli.collection import Commands, Justification, Many, Member
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import (
    CHANGE_DEFAULTS,
    DANGER_DEFAULTS,
    DEFAULTS,
    ChangeOptions,
    DangerOptions,
    Options,
)
from retinue.cli.session import Session
from retinue.client.access import TEAMS

app = App(name="team", help="Teams, each by name or id. (What they give: retinue grant add team:NAME.)")
_commands = Commands(app, TEAMS, "tea")
Resource = Annotated[Many, Parameter(help="The host's id of a resource.", negative="")]


@app.command
def resources(
    team: str,
    /,
    *,
    limit: Annotated[int | None, Parameter(help="At most so many.")] = None,
    options: Options = DEFAULTS,
) -> None:
    """List the resources of a team."""
    session = Session(options, TEAMS.resources, TEAMS.list)
    path = {"id": _commands.find(session, team).id}
    output.show_list(session.pages(TEAMS.resources, path, None, limit), RESOURCE, options)


@app.command
def add(
    team: str,
    /,
    *,
    member: Member = (),
    resource: Resource = (),
    expires: Annotated[str | None, Parameter(help="Until when the members are in, such as 30d.")] = None,
    justification: Justification = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Put members or resources into a team."""
    session = Session(options, TEAMS.add, TEAMS.list)
    _one_of(member, resource)
    found = _commands.find(session, team)
    if member:
        _commands.put(session, found, member, expires, justification)
    else:
        made = session.perform(TEAMS.change_resources, {"id": found.id}, {"add": list(resource)})
        _commands.done(session, made, "changed")


@app.command
def remove(
    team: str,
    /,
    *,
    member: Member = (),
    resource: Resource = (),
    options: DangerOptions = DANGER_DEFAULTS,
) -> None:
    """Take members or resources out of a team."""
    session = Session(options, TEAMS.remove, TEAMS.list)
    _one_of(member, resource)
    found = _commands.find(session, team)
    if member:
        _commands.take(session, found, member, options)
        return
    evidence = [f"leaves: {each}" for each in resource]
    confirm.one("take resources out of", found.name, evidence, options)
    made = session.perform(TEAMS.change_resources, {"id": found.id}, {"remove": list(resource)})
    _commands.done(session, made, "changed")


def _one_of(member: Many, resource: Many) -> None:
    """Members and resources are two changes, and one command makes one: all of it or nothing."""
    if bool(member) == bool(resource):
        raise CommandError("either --member or --resource", "each as often as needed", Exit.USAGE)
