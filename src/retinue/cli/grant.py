"""``retinue grant``: permissions and roles of a service account."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from retinue.cli import confirm, lookup, output
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import (
    CHANGE_DEFAULTS,
    DANGER_DEFAULTS,
    DEFAULTS,
    ChangeOptions,
    DangerOptions,
    Options,
)
from retinue.cli.session import Session, each
from retinue.cli.shapes import GRANT
from retinue.client import operations as ops
from retinue.client.models import Grant

app = App(name="grant", help="Permissions that a service account was given directly.")


@app.command(name="list")
def list_(
    account: str,
    /,
    *,
    limit: Annotated[int | None, Parameter(help="At most so many.")] = None,
    options: Options = DEFAULTS,
) -> None:
    """List the permissions that a service account was given directly."""
    session = Session(options, ops.LIST_GRANTS, ops.LIST_ACCOUNTS)
    path = {"id": lookup.account_id(session, account)}
    output.show_list(session.pages(ops.LIST_GRANTS, path, None, limit), GRANT, options)


@app.command
def add(
    account: str,
    /,
    *,
    permission: Annotated[tuple[str, ...], Parameter(help="Permission to give.", negative="", required=True)],
    justification: Annotated[str | None, Parameter(help="Why.")] = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> int:
    """Give a service account permissions. (Roles: retinue account edit --add-role.)"""
    session = Session(options, ops.ADD_GRANT, ops.LIST_ACCOUNTS)
    path = {"id": lookup.account_id(session, account)}

    def act(name: str) -> Grant:
        body = {"permission": name, "justification": justification}
        made = session.perform(ops.ADD_GRANT, path, body)
        session.say(f"granted {made.permission} to {account} ({made.id})")
        return made

    return _finish(session, account, permission, *each(permission, act))


@app.command
def remove(
    account: str,
    /,
    *,
    permission: Annotated[
        tuple[str, ...], Parameter(help="Permission, or id of the grant.", negative="", required=True)
    ],
    confirm_: Annotated[
        str | None, Parameter(name="--confirm", help="For several their number, instead of asking.")
    ] = None,
    options: DangerOptions = DANGER_DEFAULTS,
) -> int:
    """Take permissions that were given directly from a service account."""
    session = Session(options, ops.REMOVE_GRANT, ops.LIST_GRANTS, ops.LIST_ACCOUNTS)
    owner = lookup.account_id(session, account)
    held = session.look_all(ops.LIST_GRANTS, {"id": owner})
    if len(permission) > 1:
        confirm.several("remove", list(permission), options, confirm_)

    def act(text: str) -> Grant:
        found = [item for item in held if text in (item.id, item.permission)]
        if not found:
            raise CommandError(
                f"{account} was not given {text} directly",
                f"see: retinue grant list {account}",
                Exit.NOT_FOUND,
            )
        if len(permission) == 1:
            confirm.one("remove", text, [f"from {account}"], options, confirm_)
        gone = session.perform(ops.REMOVE_GRANT, {"id": owner, "grant_id": found[0].id})
        session.say(f"removed {gone.permission} from {account}")
        return gone

    return _finish(session, account, permission, *each(permission, act))


def _finish(session: Session, account: str, given: tuple[str, ...], done: list[Grant], code: int) -> int:
    if done:
        session.show_change(done, GRANT, many=len(given) > 1)
        session.next(f"retinue grant list {account}")
    return code
