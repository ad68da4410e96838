"""``retinue user``: people."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from retinue.cli import account_access, lookup, on_this_host, output
from retinue.cli import confirm as ask
from retinue.cli.options import (
    CHANGE_DEFAULTS,
    DANGER_DEFAULTS,
    DEFAULTS,
    ChangeOptions,
    DangerOptions,
    Options,
)
from retinue.cli.session import Session
from retinue.cli.shapes import USER
from retinue.client import operations as ops
from retinue.client.models import User
from retinue.client.operations import Operation

app = App(name="user", help="People, by e-mail address, handle or id.")
app.command(account_access.of_user, name="permissions")


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


@app.command
def invite(
    email: str,
    /,
    *,
    name: Annotated[str | None, Parameter(help="Name (default: the address up to the @).")] = None,
    role: Annotated[tuple[str, ...], Parameter(help="Role to give.", negative="")] = (),
    justification: Annotated[str | None, Parameter(help="Why the person gets the roles.")] = None,
    again: Annotated[
        bool,
        Parameter(negative="", help="Make another invitation of a person who has not chosen a password."),
    ] = False,
    out: Annotated[
        str | None,
        Parameter(
            help="File for the invitation (mode 0600, never overwritten), or - to print it.",
            allow_leading_hyphen=True,
        ),
    ] = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Invite a person, who chooses a password. The invitation is told once."""
    needs: tuple[Operation[Any], ...] = (ops.INVITE_AGAIN, ops.LIST_USERS)
    if not again:
        needs = (ops.INVITE_USER, *([ops.ADD_GRANT] if role else []))
    session = Session(options, *needs)
    path = {"id": lookup.user(session, email).id} if again else None
    body = {
        "email": email,
        "name": name or email.partition("@")[0],
        "roles": list(role) or None,
        "justification": justification,
    }
    with session.handover(out).ready() as handover:
        if path is None:
            made = session.perform(ops.INVITE_USER, None, body)
        else:
            made = session.perform(ops.INVITE_AGAIN, path)
        facts = msgspec.to_builtins({"user": made.user, "expires_at": made.expires_at, "page": made.page})
        as_object = options.output in ("json", "jsonl", "yaml")
        if as_object and not handover.to_file:
            output.show_object({**facts, "token": made.token.reveal()}, options)
        else:
            handover.give(made.token.reveal(), facts)
            if as_object:
                output.show_object(facts, options)
    session.say(f"invited user {made.user.email} ({made.user.id})")
    session.say(f"the invitation opens {made.page} on the control plane until {made.expires_at}")
    session.next(f"retinue user get {made.user.email}")


@app.command(name="reset-sign-in")
def reset_sign_in(
    user: str,
    /,
    *,
    everything: Annotated[
        bool,
        Parameter(negative="", help="The password and the identity provider too; then invite again."),
    ] = False,
    on_host: Annotated[
        bool,
        Parameter(
            negative="",
            help="Without a token, in the installation on this host [env: RETINUE_HOME]: for its operator, "
            "where no administrator can sign in.",
        ),
    ] = False,
    options: DangerOptions = DANGER_DEFAULTS,
) -> int:
    """Remove app, passkeys and recovery codes of a person who has lost them; the sessions end."""
    if on_host:
        return on_this_host.reset_sign_in(user, everything=everything, reason=options.reason)
    session = Session(options, ops.RESET_SIGN_IN, ops.LIST_USERS, ops.USER_IMPACT)
    found = _asked(session, "reset the sign-in of", user, options)
    made = session.perform(ops.RESET_SIGN_IN, {"id": found.id}, {"everything": everything})
    session.say(f"reset the sign-in of user {made.email} ({made.id})")
    session.show_change([made], USER)
    session.next(f"retinue user {'invite' if everything else 'get'} {made.email}{' --again' * everything}")
    return 0


@app.command
def enable(user: str, /, *, options: ChangeOptions = CHANGE_DEFAULTS) -> None:
    """Let a person in again; password and tokens work as before."""
    session = Session(options, ops.ENABLE_USER, ops.LIST_USERS)
    made = session.perform(ops.ENABLE_USER, {"id": lookup.user(session, user).id})
    _done(session, made, "enabled")


@app.command
def disable(user: str, /, *, options: DangerOptions = DANGER_DEFAULTS) -> None:
    """Refuse the password and every token of a person until the person is enabled again."""
    session = Session(options, ops.DISABLE_USER, ops.LIST_USERS, ops.USER_IMPACT)
    found = _asked(session, "disable", user, options)
    _done(session, session.perform(ops.DISABLE_USER, {"id": found.id}), "disabled")


@app.command
def delete(user: str, /, *, options: DangerOptions = DANGER_DEFAULTS) -> None:
    """Delete a person: every token is revoked for good. Service accounts go on, some without an owner."""
    session = Session(options, ops.DELETE_USER, ops.LIST_USERS, ops.USER_IMPACT)
    found = _asked(session, "delete", user, options)
    _done(session, session.perform(ops.DELETE_USER, {"id": found.id}), "deleted")


@app.command
def reassign(
    user: str,
    /,
    *,
    to: Annotated[str, Parameter(help="Who answers for the accounts from now on.")],
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Make another person the owner of the service accounts of a person, who may be deleted."""
    session = Session(options, ops.REASSIGN, ops.LIST_USERS)
    found = lookup.user(session, user)
    made = session.perform(ops.REASSIGN, {"id": found.id}, {"to": to})
    for each in made.items:
        session.say(f"{each.handle} ({each.id}) belongs to {to}")
    session.say(f"{len(made.items)} accounts of {found.email} belong to {to}")
    if options.output is not None:
        output.show_object(msgspec.to_builtins(made), options)
    session.next(f"retinue account list --owner {to}")


def _asked(session: Session, act: str, user: str, options: DangerOptions) -> User:
    """Return the person, once it is sure that ``act`` is meant; what hangs on the person is shown first."""
    found = lookup.user(session, user)
    impact = session.look(ops.USER_IMPACT, {"id": found.id})
    evidence = [
        f"{found.name} ({found.id}), roles: {', '.join(found.roles) or 'none'}",
        f"tokens that work: {impact.tokens_usable}, "
        f"used in the last 30 days: {impact.tokens_used_last_30_days}",
        f"service accounts: {len(impact.owned)}, without another owner: {impact.ownerless_without}",
    ]
    ask.one(act, user, evidence, options)
    return found


def _done(session: Session, user: User, verb: str) -> None:
    session.say(f"{verb} user {user.email} ({user.id})")
    session.show_change([user], USER)
    session.next(_NEXT[verb].format(user=user.email or user.id, id=user.id))


_NEXT = {
    "enabled": "retinue user get {user}",
    "disabled": "retinue user enable {user}",
    "deleted": "retinue user reassign {id} --to EMAIL",
}
