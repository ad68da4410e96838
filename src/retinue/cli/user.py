"""``retinue user``: people."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from retinue.cli import lookup, output
from retinue.cli.options import CHANGE_DEFAULTS, DEFAULTS, ChangeOptions, Options
from retinue.cli.session import Session
from retinue.cli.shapes import USER
from retinue.client import operations as ops

app = App(name="user", help="People, by e-mail address, handle or id.")


@app.command(name="list")
def list_(
    *,
    search: Annotated[str | None, Parameter(help="Only with this text.")] = None,
    limit: Annotated[int | None, Parameter(help="At most so many.")] = None,
    options: Options = DEFAULTS,
) -> None:
    """List the people of the organization."""
    session = Session(options, ops.LIST_USERS)
    output.show_list(session.pages(ops.LIST_USERS, None, {"search": search}, limit), USER, options)


@app.command
def get(user: str, /, *, options: Options = DEFAULTS) -> None:
    """Show one person."""
    session = Session(options, ops.GET_USER)
    found = lookup.user(session, user)
    if options.print_curl:
        session.perform(ops.GET_USER, {"id": found.id})
    output.show_one(found, USER, options)


@app.command
def create(
    email: str,
    /,
    *,
    name: Annotated[str | None, Parameter(help="Name (default: the address up to the @).")] = None,
    role: Annotated[tuple[str, ...], Parameter(help="Role to give.", negative="")] = (),
    justification: Annotated[str | None, Parameter(help="Why the person gets the roles.")] = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Create a person, without a password."""
    session = Session(options, ops.CREATE_USER, *([ops.ADD_GRANT] if role else []))
    body = {
        "email": email,
        "name": name or email.partition("@")[0],
        "roles": list(role) or None,
        "justification": justification,
    }
    made = session.perform(ops.CREATE_USER, None, body)
    session.say(f"created user {made.email} ({made.id})")
    session.show_change([made], USER)
    session.next(f"retinue user get {made.email}")
