"""``retinue grant``: permissions and roles that somebody was given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from cyclopts import App, Parameter

from retinue.cli import confirm, durations, output
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
from retinue.cli.subjects import subject_id
from retinue.client import access as ops
from retinue.client.access import Assignment
from retinue.client.models import Grant, Page

app = App(
    name="grant",
    help="Permissions and roles of a principal, or of group:NAME, team:NAME, role:NAME, policy:NAME.",
)
Many = tuple[str, ...]


@app.command(name="list")
def list_(
    subject: str | None = None,
    /,
    *,
    pending: Annotated[bool, Parameter(help="Only what waits for a second person.", negative="")] = False,
    limit: Annotated[int | None, Parameter(help="At most so many.")] = None,
    options: Options = DEFAULTS,
) -> None:
    """List the roles and permissions that a subject was given; without one, those of everybody."""
    session = Session(options, ops.LIST_GRANTS)
    query = {
        "subject": None if subject is None else subject_id(session, subject),
        "pending": "true" if pending else None,
    }
    output.show_list(_pages(session, query, limit), GRANT, options)


@app.command
def add(
    subject: str,
    /,
    *,
    role: Annotated[Many, Parameter(help="Role to give.", negative="")] = (),
    permission: Annotated[
        Many, Parameter(help="Permission to give, or a pattern such as report:*.", negative="")
    ] = (),
    resource: Annotated[
        Many, Parameter(help="On these resources only, by id; or `own`, or `team`.", negative="")
    ] = (),
    where: Annotated[
        Many, Parameter(help="NAME=VALUE[,VALUE…]: on resources with these attributes.", negative="")
    ] = (),
    expires: Annotated[str | None, Parameter(help="Until when, such as 30d.")] = None,
    justification: Annotated[str | None, Parameter(help="Why.")] = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> int:
    """Give roles or permissions."""
    _some(role, permission)
    if role and (resource or where):
        raise CommandError("--resource is for permissions", "give roles by themselves", Exit.USAGE)
    session = Session(options, ops.GRANT)
    body = {
        "subject": subject_id(session, subject),
        "expires": durations.checked(expires, "--expires") if expires else None,
        "justification": justification,
    }
    selector = _selector(resource, where)

    def act(wanted: tuple[str, str]) -> Grant:
        kind, name = wanted
        if kind == "role":
            made = _as_grant(session.perform(ops.ASSIGN_ROLE, None, {**body, "role": name}))
        else:
            made = session.perform(ops.GRANT, None, {**body, "permission": name, "resource": selector})
        waits = ", once a second person approves" if made.state == "pending" else ""
        session.say(f"granted {GRANT.name(made)} to {subject} ({made.id}){waits}")
        return made

    given = [("role", each) for each in role] + [("permission", each) for each in permission]
    return _finish(session, subject, len(given), *_each(given, act))


@app.command
def remove(
    subject: str,
    /,
    *,
    role: Annotated[Many, Parameter(help="Role to take.", negative="")] = (),
    permission: Annotated[Many, Parameter(help="Permission, or id of the grant.", negative="")] = (),
    confirm_: Annotated[
        str | None, Parameter(name="--confirm", help="For several their number, instead of asking.")
    ] = None,
    options: DangerOptions = DANGER_DEFAULTS,
) -> int:
    """Take roles or permissions that were given directly."""
    _some(role, permission)
    session = Session(options, ops.TAKE_GRANT, ops.LIST_GRANTS)
    owner = subject_id(session, subject)
    names = [*role, *permission]
    if len(names) > 1:
        confirm.several("remove", names, options, confirm_)

    def act(wanted: tuple[str, str]) -> Grant:
        kind, name = wanted
        found = _held(session, owner, subject, kind, name)
        if len(names) == 1:
            confirm.one("remove", name, [f"from {subject}"], options, confirm_)
        path = {"id": found.id}
        if kind == "role":
            gone = _as_grant(session.perform(ops.UNASSIGN_ROLE, path))
        else:
            gone = session.perform(ops.TAKE_GRANT, path)
        session.say(f"removed {GRANT.name(gone)} from {subject}")
        return gone

    given = [("role", each) for each in role] + [("permission", each) for each in permission]
    return _finish(session, subject, len(given), *_each(given, act))


@app.command
def approve(grant: str, /, *, options: ChangeOptions = CHANGE_DEFAULTS) -> None:
    """Let hold what waits for a second person, by its id. Not for who asked for it, nor for who gets it."""
    session = Session(options, ops.APPROVE_GRANT)
    if grant.startswith("grt_"):
        made = session.perform(ops.APPROVE_GRANT, {"id": grant})
    else:
        made = _as_grant(session.perform(ops.APPROVE_ASSIGNMENT, {"id": grant}))
    session.say(f"approved {GRANT.name(made)} for {made.subject.handle} ({made.id})")
    session.show_change([made], GRANT)
    session.next(f"retinue grant list {made.subject.id}")


def _pages(session: Session, query: dict[str, Any], limit: int | None) -> Iterator[Page[Grant]]:
    """Yield what was granted, then the roles, as one list; ``next`` is of no use where two are joined."""
    left = limit
    for page in session.pages(ops.LIST_GRANTS, None, query, limit):
        left = None if left is None else left - len(page.items)
        yield Page(page.items)
    if left is None or left > 0:
        for roles in session.pages(ops.LIST_ASSIGNMENTS, None, query, left):
            yield Page([_as_grant(each) for each in roles.items])


def _as_grant(held: Assignment) -> Grant:
    """Return an assigned role in the form of a grant, so that one list tells both."""
    return Grant(
        id=held.id,
        subject=held.subject,
        role=held.role.handle,
        source="direct" if held.subject.kind in ("user", "service_account") else held.subject.kind,
        state=held.state,
        origin=held.origin,
        justification=held.justification,
        granted_by=held.granted_by,
        granted_at=held.granted_at,
        approved_by=held.approved_by,
        expires_at=held.expires_at,
        receipt=held.receipt,
    )


def _held(session: Session, owner: str, subject: str, kind: str, name: str) -> Grant | Assignment:
    query = {"subject": owner}
    if kind == "role":
        roles = session.look_all(ops.LIST_ASSIGNMENTS, None, **query)
        found: list[Any] = [each for each in roles if name in (each.id, each.role.handle, each.role.id)]
    else:
        grants = session.look_all(ops.LIST_GRANTS, None, **query)
        found = [each for each in grants if name in (each.id, each.permission)]
    if not found:
        raise CommandError(
            f"{subject} was not given {name} directly", f"see: retinue grant list {subject}", Exit.NOT_FOUND
        )
    if len(found) > 1:
        ids = ", ".join(each.id for each in found)
        raise CommandError(f"{name} was given {len(found)} times", f"use the id: {ids}", Exit.CONFLICT)
    held: Grant | Assignment = found[0]
    return held


def _selector(resource: Many, where: Many) -> Any:
    """Return the resources that a grant reaches, as the API takes them; ``None`` for all."""
    if resource and where:
        raise CommandError("--resource or --where, not both", "give two grants", Exit.USAGE)
    if where:
        pairs = [each.partition("=") for each in where]
        if not all(name and equals and value for name, equals, value in pairs):
            raise CommandError("--where: not NAME=VALUE", "such as --where region=eu,us", Exit.USAGE)
        return {"where": {name: value.split(",") for name, _, value in pairs}}
    if resource in (("own",), ("team",), ("*",)):
        return resource[0]
    return {"ids": list(resource)} if resource else None


def _some(role: Many, permission: Many) -> None:
    if not role and not permission:
        raise CommandError("give what?", "add --role or --permission", Exit.USAGE)


def _each(given: list[tuple[str, str]], act: Any) -> tuple[list[Grant], int]:
    """Do ``act`` for each; failures are told by the name of the role or permission."""
    by_name = {name: (kind, name) for kind, name in given}
    return each(by_name, lambda name: act(by_name[name]))


def _finish(session: Session, subject: str, count: int, done: list[Grant], code: int) -> int:
    if done:
        session.show_change(done, GRANT, many=count > 1)
        session.next(f"retinue grant list {subject}")
    return code
