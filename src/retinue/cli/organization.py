"""``retinue org``: organizations of the installation, and one's own."""

from __future__ import annotations

from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from retinue.cli import confirm as ask
from retinue.cli import output
from retinue.cli.exits import CommandError, Exit
from retinue.cli.handover import Handover
from retinue.cli.options import (
    CHANGE_DEFAULTS,
    DANGER_DEFAULTS,
    DEFAULTS,
    ChangeOptions,
    DangerOptions,
    Options,
)
from retinue.cli.organization_shapes import ORGANIZATION
from retinue.cli.session import Session
from retinue.client import operations as ops
from retinue.client.organization import FoundedOrganization

app = App(name="org", help="Organizations, by handle or id; for operators of the installation.")

Out = Annotated[
    str | None,
    Parameter(
        help="File for the token (mode 0600, never overwritten), or - to print it.",
        allow_leading_hyphen=True,
    ),
]
Admin = Annotated[str | None, Parameter(help="E-mail address of the first administrator, who is invited.")]
AdminName = Annotated[str | None, Parameter(help="Name (default: the address up to the @).")]


@app.command(name="list")
def list_(
    *,
    search: Annotated[str | None, Parameter(help="Only with this text.")] = None,
    limit: Annotated[int | None, Parameter(help="At most so many.")] = None,
    options: Options = DEFAULTS,
) -> None:
    """List the organizations of the installation."""
    session = Session(options, ops.LIST_ORGANIZATIONS)
    pages = session.pages(ops.LIST_ORGANIZATIONS, None, {"search": search}, limit)
    output.show_list(pages, ORGANIZATION, options)


@app.command
def get(organization: str | None = None, /, *, options: Options = DEFAULTS) -> None:
    """Show one organization; without a name one's own."""
    if organization is None:
        session = Session(options, ops.OWN_ORGANIZATION)
        found = session.perform(ops.OWN_ORGANIZATION)
    else:
        session = Session(options, ops.GET_ORGANIZATION)
        found = session.perform(ops.GET_ORGANIZATION, {"id": organization})
    output.show_one(found, ORGANIZATION, options)


@app.command
def create(
    handle: str,
    /,
    *,
    name: Annotated[str | None, Parameter(help="Name for people (default: the handle).")] = None,
    preset: Annotated[str | None, Parameter(help="Preset of its policy (default: native).")] = None,
    admin: Admin = None,
    admin_name: AdminName = None,
    account: Annotated[
        str | None, Parameter(help="Instead of a person: name of a service account that administers.")
    ] = None,
    out: Out = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Create an organization. The token with which its administrator begins is told once."""
    session = Session(options, ops.CREATE_ORGANIZATION)
    if (admin is None) == (account is None):
        raise CommandError(
            "who is to hold it?", "give --admin EMAIL, or --account NAME: one of the two", Exit.USAGE
        )
    body = {
        "handle": handle,
        "name": name or handle,
        "preset": preset,
        "administrator": None if admin is None else _person(admin, admin_name),
        "service_account": account,
    }
    with session.handover(out).ready() as handover:
        made = session.perform(ops.CREATE_ORGANIZATION, None, body)
        _hand_over(session, made, handover)


@app.command
def invite(
    organization: str,
    /,
    *,
    admin: Annotated[str, Parameter(help="E-mail address of the administrator.")],
    admin_name: AdminName = None,
    out: Out = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Invite the first administrator anew, while nobody can enter the organization yet."""
    session = Session(options, ops.INVITE_ADMINISTRATOR)
    with session.handover(out).ready() as handover:
        body = _person(admin, admin_name)
        made = session.perform(ops.INVITE_ADMINISTRATOR, {"id": organization}, body)
        _hand_over(session, made, handover)


@app.command
def rename(name: str, /, *, options: ChangeOptions = CHANGE_DEFAULTS) -> None:
    """Give one's own organization another name; its handle stays."""
    session = Session(options, ops.RENAME_ORGANIZATION)
    made = session.perform(ops.RENAME_ORGANIZATION, None, {"name": name})
    session.say(f"renamed organization {made.handle} ({made.id})")
    session.show_change([made], ORGANIZATION)
    session.next("retinue org get")


@app.command
def enable(organization: str, /, *, options: ChangeOptions = CHANGE_DEFAULTS) -> None:
    """Let an organization be used again. What was ended itself stays ended."""
    session = Session(options, ops.ENABLE_ORGANIZATION)
    made = session.perform(ops.ENABLE_ORGANIZATION, {"id": organization})
    session.say(f"enabled organization {made.handle} ({made.id})")
    session.show_change([made], ORGANIZATION)
    session.next(f"retinue org get {made.handle}")


@app.command
def disable(organization: str, /, *, options: DangerOptions = DANGER_DEFAULTS) -> None:
    """Refuse every token and person of an organization until it is enabled again."""
    session = Session(options, ops.DISABLE_ORGANIZATION, ops.GET_ORGANIZATION)
    found = session.look(ops.GET_ORGANIZATION, {"id": organization})
    evidence = [f"{found.name} ({found.id}), policy {found.preset}: all that it has is refused"]
    ask.one("disable", organization, evidence, options)
    made = session.perform(ops.DISABLE_ORGANIZATION, {"id": found.id})
    session.say(f"disabled organization {made.handle} ({made.id})")
    session.show_change([made], ORGANIZATION)
    session.next(f"retinue org enable {made.handle}")


@app.command
def delete(
    *,
    confirm: Annotated[str | None, Parameter(help="The handle, instead of asking.")] = None,
    options: DangerOptions = DANGER_DEFAULTS,
) -> None:
    """Delete one's own organization for good, with all that it has."""
    session = Session(options, ops.DELETE_ORGANIZATION, ops.OWN_ORGANIZATION)
    found = session.look(ops.OWN_ORGANIZATION)
    evidence = [f"{found.name} ({found.id}): accounts, keys and people are refused for good"]
    ask.typed("delete", found.handle, evidence, options, confirm)
    made = session.perform(ops.DELETE_ORGANIZATION, None, None, {"confirm": found.handle})
    session.say(f"deleted organization {made.handle} ({made.id})")
    session.show_change([made], ORGANIZATION)


def _person(email: str, name: str | None) -> dict[str, str]:
    return {"email": email, "name": name or email.partition("@")[0]}


def _hand_over(session: Session, made: FoundedOrganization, handover: Handover) -> None:
    facts = msgspec.to_builtins(
        {
            "organization": made.organization,
            "administrator": made.administrator,
            "service_account": made.service_account,
            "expires_at": made.expires_at,
            "page": made.page,
        }
    )
    as_object = session.options.output in ("json", "jsonl", "yaml")
    if as_object and not handover.to_file:
        output.show_object({**facts, "token": made.token.reveal()}, session.options)
    else:
        handover.give(made.token.reveal(), facts)
        if as_object:
            output.show_object(facts, session.options)
    session.say(f"organization {made.organization.handle} ({made.organization.id})")
    if made.page is not None and made.administrator is not None:
        session.say(
            f"hand the invitation to {made.administrator.email}: it opens {made.page} on the control plane "
            f"until {made.expires_at}"
        )
    elif made.service_account is not None:
        session.say(f"hand the key to who runs {made.service_account.handle}; it expires {made.expires_at}")
    session.next(f"retinue org get {made.organization.handle}")
