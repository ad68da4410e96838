"""``retinue access-policy``: rules that become grants."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from retinue.cli import confirm, lookup, output
from retinue.cli.access_shapes import ACCESS_POLICY, WHO
from retinue.cli.collection import Conditions, Description, Justification, Many, Match, conditions
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
from retinue.cli.subjects import subject_id
from retinue.client import access as ops
from retinue.client import operations
from retinue.client.access import AccessPolicy
from retinue.client.effects import PREVIEW_ACCESS_POLICY
from retinue.client.models import Page

app = App(
    name="access-policy",
    help="Access policies, each by name or id. (What they give: retinue grant add policy:NAME.)",
)
Subjects = Annotated[
    Many, Parameter(name="--subject", help="Principal, group:NAME or team:NAME that it names.", negative="")
]


@app.command(name="list")
def list_(
    *,
    search: Annotated[str | None, Parameter(help="Only with this text.")] = None,
    limit: Annotated[int | None, Parameter(help="At most so many.")] = None,
    options: Options = DEFAULTS,
) -> None:
    """List the access policies."""
    session = Session(options, ops.LIST_ACCESS_POLICIES)
    pages = session.pages(ops.LIST_ACCESS_POLICIES, None, {"search": search}, limit)
    output.show_list(pages, ACCESS_POLICY, options)


@app.command
def get(policy: str, /, *, options: Options = DEFAULTS) -> None:
    """Show one access policy."""
    session = Session(options, ops.GET_ACCESS_POLICY, ops.LIST_ACCESS_POLICIES)
    if options.print_curl:
        session.perform(ops.GET_ACCESS_POLICY, {"id": find(session, policy).id})
    output.show_one(find(session, policy), ACCESS_POLICY, options)


@app.command
def create(
    name: str,
    /,
    *,
    description: Description = None,
    match: Match = None,
    condition: Conditions = (),
    subject: Subjects = (),
    role: Annotated[Many, Parameter(help="Role that it gives.", negative="")] = (),
    permission: Annotated[Many, Parameter(help="Permission that it gives.", negative="")] = (),
    disabled: Annotated[bool, Parameter(help="Not in force yet.", negative="")] = False,
    justification: Justification = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Create an access policy with what it gives: all of it or nothing."""
    session = Session(
        options,
        ops.CREATE_ACCESS_POLICY,
        *([operations.ADD_GRANT] if role or permission else []),
    )
    body = {
        "name": name,
        "description": description,
        "match": match,
        "conditions": conditions(condition),
        "subjects": [subject_id(session, each) for each in subject] or None,
        "roles": list(role) or None,
        "permissions": list(permission) or None,
        "enabled": False if disabled else None,
        "justification": justification,
    }
    _done(session, session.perform(ops.CREATE_ACCESS_POLICY, None, body), "created")


@app.command
def preview(
    *,
    match: Match = None,
    condition: Conditions = (),
    subject: Subjects = (),
    options: Options = DEFAULTS,
) -> None:
    """List whom an access policy would give something, without making one."""
    session = Session(options, PREVIEW_ACCESS_POLICY)
    body = {
        "match": match,
        "conditions": conditions(condition),
        "subjects": [subject_id(session, each) for each in subject] or None,
    }
    found = session.perform(PREVIEW_ACCESS_POLICY, None, body)
    if options.output in ("json", "jsonl", "yaml"):
        output.show_object(msgspec.to_builtins(found), options)
    else:
        output.show_list([Page([*found.groups, *found.principals])], WHO, options)
    session.say(f"{found.principals_count} principals, {len(found.groups)} groups and teams")


@app.command
def edit(
    policy: str,
    /,
    *,
    description: Description = None,
    match: Match = None,
    condition: Conditions = (),
    subject: Subjects = (),
    enabled: Annotated[bool | None, Parameter(help="In force, or not.")] = None,
    locked: Annotated[bool | None, Parameter(help="A locked one is unlocked first, by itself.")] = None,
    justification: Justification = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Change an access policy; conditions and subjects are all of them from now on."""
    session = Session(options, ops.EDIT_ACCESS_POLICY, ops.LIST_ACCESS_POLICIES)
    body = {
        "description": description,
        "match": match,
        "conditions": conditions(condition),
        "subjects": [subject_id(session, each) for each in subject] or None,
        "enabled": enabled,
        "locked": locked,
    }
    if all(value is None for value in body.values()):
        raise CommandError("nothing to change", "see: retinue access-policy edit --help", Exit.USAGE)
    _edit(session, find(session, policy), {**body, "justification": justification})


@app.command
def rename(policy: str, new: str, /, *, options: ChangeOptions = CHANGE_DEFAULTS) -> None:
    """Give an access policy another name; its id stays."""
    session = Session(options, ops.EDIT_ACCESS_POLICY, ops.LIST_ACCESS_POLICIES)
    _edit(session, find(session, policy), {"name": new}, "renamed")


@app.command
def delete(policy: str, /, *, options: DangerOptions = DANGER_DEFAULTS) -> None:
    """Delete an access policy: whom it matched has nothing by it any more."""
    session = Session(options, ops.DELETE_ACCESS_POLICY, ops.LIST_ACCESS_POLICIES)
    found = find(session, policy)
    confirm.one("delete", policy, [f"{found.name} ({found.id}), {found.state}"], options)
    _done(session, session.perform(ops.DELETE_ACCESS_POLICY, {"id": found.id}), "deleted")


@app.command
def approve(policy: str, /, *, options: ChangeOptions = CHANGE_DEFAULTS) -> None:
    """Put an access policy in force that waits for a second person. Not for who asked for it."""
    session = Session(options, ops.APPROVE_ACCESS_POLICY, ops.LIST_ACCESS_POLICIES)
    found = find(session, policy)
    _done(session, session.perform(ops.APPROVE_ACCESS_POLICY, {"id": found.id}), "approved")


@app.command
def add(policy: str, /, *, subject: Subjects = (), options: ChangeOptions = CHANGE_DEFAULTS) -> None:
    """Name principals, groups or teams in an access policy."""
    session = Session(options, ops.EDIT_ACCESS_POLICY, ops.LIST_ACCESS_POLICIES)
    given = _given(session, subject)
    found = find(session, policy)
    held = [each.id for each in found.subjects]
    _edit(session, found, {"subjects": [*held, *(each for each in given if each not in held)]})


@app.command
def remove(policy: str, /, *, subject: Subjects = (), options: DangerOptions = DANGER_DEFAULTS) -> None:
    """Take principals, groups or teams out of an access policy."""
    session = Session(options, ops.EDIT_ACCESS_POLICY, ops.LIST_ACCESS_POLICIES)
    given = _given(session, subject)
    found = find(session, policy)
    confirm.one("change", policy, [f"leaves: {each}" for each in subject], options)
    _edit(session, found, {"subjects": [each.id for each in found.subjects if each.id not in given]})


def find(session: Session, text: str) -> AccessPolicy:
    """Return the access policy with this name or id."""
    return lookup.named(
        session, ops.LIST_ACCESS_POLICIES, ops.GET_ACCESS_POLICY, "access policy", text, prefix="acp"
    )


def _given(session: Session, subject: Many) -> list[str]:
    if not subject:
        raise CommandError("whom?", "add --subject NAME", Exit.USAGE)
    return [subject_id(session, each) for each in subject]


def _edit(session: Session, found: AccessPolicy, body: dict[str, Any], verb: str = "changed") -> None:
    _done(session, session.perform(ops.EDIT_ACCESS_POLICY, {"id": found.id}, body), verb)


def _done(session: Session, policy: AccessPolicy, verb: str) -> None:
    session.say(f"{verb} access policy {policy.name} ({policy.id}), {policy.state}")
    session.show_change([policy], ACCESS_POLICY)
    last = "list" if verb == "deleted" else f"get {policy.id}"
    session.next(f"retinue access-policy {last}")
