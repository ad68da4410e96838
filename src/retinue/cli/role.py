"""``retinue role``: named sets of permissions."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import App, Parameter

from retinue.cli import confirm, lookup, output
from retinue.cli.access_shapes import ROLE
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
from retinue.client import access as ops
from retinue.client.access import Role
from retinue.client.effects import CLONE_ROLE

app = App(name="role", help="Roles: named sets of permissions, each by handle or id.")
Many = tuple[str, ...]
Description = Annotated[str | None, Parameter(help="Free text.")]
Justification = Annotated[str | None, Parameter(help="Why, for what is elevated.")]
Bypass = Annotated[bool | None, Parameter(help="Reaches the resources of every team.")]


@app.command(name="list")
def list_(
    *,
    search: Annotated[str | None, Parameter(help="Only with this text.")] = None,
    limit: Annotated[int | None, Parameter(help="At most so many.")] = None,
    options: Options = DEFAULTS,
) -> None:
    """List the roles, with how many hold each."""
    session = Session(options, ops.LIST_ROLES)
    output.show_list(session.pages(ops.LIST_ROLES, None, {"search": search}, limit), ROLE, options)


@app.command
def get(role: str, /, *, options: Options = DEFAULTS) -> None:
    """Show one role."""
    session = Session(options, ops.GET_ROLE, ops.LIST_ROLES)
    if options.print_curl:
        session.perform(ops.GET_ROLE, {"id": find(session, role).id})
    output.show_one(find(session, role), ROLE, options)


@app.command
def create(
    name: str,
    /,
    *,
    handle: Annotated[str | None, Parameter(help="What commands call it (default: from the name).")] = None,
    description: Description = None,
    permission: Annotated[
        Many, Parameter(help="Permission, or a pattern such as report:*.", negative="")
    ] = (),
    bypass_scopes: Bypass = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Create a role; nobody holds it yet."""
    session = Session(options, ops.CREATE_ROLE)
    body = {
        "name": name,
        "handle": handle,
        "description": description,
        "permissions": list(permission) or None,
        "bypass_scopes": bypass_scopes,
    }
    _done(session, session.perform(ops.CREATE_ROLE, None, body), "created")


@app.command
def clone(
    role: str,
    name: str,
    /,
    *,
    handle: Annotated[str | None, Parameter(help="What commands call it (default: from the name).")] = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Create a role with the permissions of another; from then on each goes its own way."""
    session = Session(options, CLONE_ROLE, ops.LIST_ROLES)
    made = session.perform(CLONE_ROLE, {"id": find(session, role).id}, {"name": name, "handle": handle})
    _done(session, made, "created")


@app.command
def edit(
    role: str,
    /,
    *,
    description: Description = None,
    permission: Annotated[Many, Parameter(help="All its permissions from now on.", negative="")] = (),
    bypass_scopes: Bypass = None,
    justification: Justification = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Change a role; it holds for the next decision about each of its holders."""
    session = Session(options, ops.EDIT_ROLE, ops.LIST_ROLES)
    body = {
        "description": description,
        "permissions": list(permission) or None,
        "bypass_scopes": bypass_scopes,
    }
    if all(value is None for value in body.values()):
        raise CommandError("nothing to change", "see: retinue role edit --help", Exit.USAGE)
    _edited(session, find(session, role), {**body, "justification": justification})


@app.command
def rename(
    role: str,
    new: str,
    /,
    *,
    handle: Annotated[str | None, Parameter(help="Another handle as well.")] = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Give a role another name; its id stays, and its handle unless another is given."""
    session = Session(options, ops.EDIT_ROLE, ops.LIST_ROLES)
    _edited(session, find(session, role), {"name": new, "handle": handle}, "renamed")


@app.command
def delete(
    role: str,
    /,
    *,
    from_holders: Annotated[
        bool, Parameter(help="Take it from those who hold it; else a held role stays.", negative="")
    ] = False,
    options: DangerOptions = DANGER_DEFAULTS,
) -> None:
    """Delete a role."""
    session = Session(options, ops.DELETE_ROLE, ops.LIST_ROLES)
    found = find(session, role)
    confirm.one("delete", role, [f"{found.name} ({found.id})", f"holders: {found.holders}"], options)
    query = {"holders": "lose"} if from_holders else None
    _done(session, session.perform(ops.DELETE_ROLE, {"id": found.id}, None, query), "deleted")


@app.command
def add(
    role: str,
    /,
    *,
    permission: Annotated[
        Many, Parameter(help="Permission, or a pattern such as report:*.", negative="", required=True)
    ],
    justification: Justification = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Put permissions into a role."""
    session = Session(options, ops.EDIT_ROLE, ops.LIST_ROLES)
    found = find(session, role)
    kept = [*found.permissions, *(each for each in permission if each not in found.permissions)]
    _edited(session, found, {"permissions": kept, "justification": justification})


@app.command
def remove(
    role: str,
    /,
    *,
    permission: Annotated[
        Many, Parameter(help="Permission or pattern, as it stands there.", negative="", required=True)
    ],
    options: DangerOptions = DANGER_DEFAULTS,
) -> None:
    """Take permissions out of a role: its holders lose them with their next request."""
    session = Session(options, ops.EDIT_ROLE, ops.LIST_ROLES)
    found = find(session, role)
    for each in permission:
        if each not in found.permissions:
            raise CommandError(
                f"{role} does not have {each}", f"see: retinue role get {role}", Exit.NOT_FOUND
            )
    evidence = [f"loses: {', '.join(permission)}", f"holders: {found.holders}"]
    confirm.one("change", role, evidence, options)
    _edited(session, found, {"permissions": [each for each in found.permissions if each not in permission]})


def find(session: Session, text: str) -> Role:
    """Return the role with this handle or id."""
    return lookup.named(session, ops.LIST_ROLES, ops.GET_ROLE, "role", text, prefix="rol", by="handle")


def _edited(session: Session, found: Role, body: dict[str, Any], verb: str = "changed") -> None:
    _done(session, session.perform(ops.EDIT_ROLE, {"id": found.id}, body), verb)


def _done(session: Session, role: Role, verb: str) -> None:
    session.say(f"{verb} role {role.handle} ({role.id})")
    session.show_change([role], ROLE)
    session.next("retinue role list" if verb == "deleted" else f"retinue role get {role.handle}")
