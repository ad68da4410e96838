"""What ``retinue group`` and ``retinue team`` do alike."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from retinue.cli import confirm, durations, lookup, output
from retinue.cli.access_shapes import GROUP, MEMBER
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
from retinue.client import operations
from retinue.client.access import Collection, Group
from retinue.client.models import Page

Many = tuple[str, ...]
Rule = Annotated[
    Literal["users", "service_accounts", "all", "condition"] | None,
    Parameter(help="Who belongs to it by a rule; without one, people choose the members."),
]
Match = Annotated[Literal["all", "any"] | None, Parameter(help="All conditions, or any of them.")]
Conditions = Annotated[
    Many,
    Parameter(
        name="--condition",
        help="FIELD=VALUE[,VALUE…]: kind, name, handle, environment or attributes.NAME; * is any text.",
        negative="",
    ),
]
Description = Annotated[str | None, Parameter(help="Free text.")]
Justification = Annotated[str | None, Parameter(help="Why they get what they get.")]
Member = Annotated[Many, Parameter(help="Person (e-mail) or service account.", negative="")]


def conditions(texts: Many) -> list[dict[str, Any]] | None:
    """Return what ``--condition`` states. Raises (exit 2) for what is no condition."""
    found = []
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals or not name or not all(values.split(",")):
            raise CommandError(
                f"--condition {text}: not FIELD=VALUE", "such as environment=prod,staging", Exit.USAGE
            )
        found.append({"field": name, "values": values.split(",")})
    return found or None


class Commands:
    """The commands of one kind of collection."""

    def __init__(self, app: App, ops: Collection, prefix: str) -> None:
        self.ops, self.kind, self.prefix = ops, ops.kind, prefix
        for command in (self.get, self.create, self.edit, self.rename, self.delete, self.members):
            app.command(command, name=command.__name__)
        app.command(self.approve, name="approve")
        app.command(self.list_, name="list")

    def list_(
        self,
        *,
        search: Annotated[str | None, Parameter(help="Only with this text.")] = None,
        limit: Annotated[int | None, Parameter(help="At most so many.")] = None,
        options: Options = DEFAULTS,
    ) -> None:
        """List them, with how many members each has."""
        session = Session(options, self.ops.list)
        output.show_list(session.pages(self.ops.list, None, {"search": search}, limit), GROUP, options)

    def get(self, name: str, /, *, options: Options = DEFAULTS) -> None:
        """Show one."""
        session = Session(options, self.ops.get, self.ops.list)
        if options.print_curl:
            session.perform(self.ops.get, {"id": self.find(session, name).id})
        output.show_one(self.find(session, name), GROUP, options)

    def create(
        self,
        name: str,
        /,
        *,
        description: Description = None,
        rule: Rule = None,
        match: Match = None,
        condition: Conditions = (),
        role: Annotated[Many, Parameter(help="Role that its members get.", negative="")] = (),
        permission: Annotated[Many, Parameter(help="Permission that they get.", negative="")] = (),
        member: Member = (),
        justification: Justification = None,
        options: ChangeOptions = CHANGE_DEFAULTS,
    ) -> None:
        """Create one with its roles, permissions and members: all of it or nothing."""
        session = Session(options, self.ops.create, *([operations.ADD_GRANT] if role or permission else []))
        body = {
            "name": name,
            "description": description,
            "rule": rule or ("condition" if condition else None),
            "match": match,
            "conditions": conditions(condition),
            "roles": list(role) or None,
            "permissions": list(permission) or None,
            "members": list(member) or None,
            "justification": justification,
        }
        self.done(session, session.perform(self.ops.create, None, body), "created")

    def edit(
        self,
        name: str,
        /,
        *,
        description: Description = None,
        match: Match = None,
        condition: Conditions = (),
        justification: Justification = None,
        options: ChangeOptions = CHANGE_DEFAULTS,
    ) -> None:
        """Change what is known about one, or all the conditions of its rule."""
        session = Session(options, self.ops.edit, self.ops.list)
        body = {"description": description, "match": match, "conditions": conditions(condition)}
        if all(value is None for value in body.values()):
            raise CommandError("nothing to change", f"see: retinue {self.kind} edit --help", Exit.USAGE)
        path = {"id": self.find(session, name).id}
        made = session.perform(self.ops.edit, path, {**body, "justification": justification})
        self.done(session, made, "changed")

    def rename(self, name: str, new: str, /, *, options: ChangeOptions = CHANGE_DEFAULTS) -> None:
        """Give one another name; its id stays."""
        session = Session(options, self.ops.edit, self.ops.list)
        path = {"id": self.find(session, name).id}
        self.done(session, session.perform(self.ops.edit, path, {"name": new}), "renamed")

    def delete(self, name: str, /, *, options: DangerOptions = DANGER_DEFAULTS) -> None:
        """Delete one: its members have nothing by it any more."""
        session = Session(options, self.ops.delete, self.ops.list)
        found = self.find(session, name)
        evidence = [
            f"{found.name} ({found.id}), members: {found.members}, roles: {', '.join(found.roles) or 'none'}"
        ]
        confirm.one("delete", name, evidence, options)
        self.done(session, session.perform(self.ops.delete, {"id": found.id}), "deleted")

    def members(
        self,
        name: str,
        /,
        *,
        limit: Annotated[int | None, Parameter(help="At most so many.")] = None,
        options: Options = DEFAULTS,
    ) -> None:
        """List the members, by the rule or by hand."""
        session = Session(options, self.ops.members, self.ops.list)
        path = {"id": self.find(session, name).id}
        output.show_list(session.pages(self.ops.members, path, None, limit), MEMBER, options)

    def approve(self, name: str, member: str, /, *, options: ChangeOptions = CHANGE_DEFAULTS) -> None:
        """Let a member in who waits for a second person. Not for who asked for it."""
        session = Session(options, self.ops.approve, self.ops.list)
        path = {"id": self.find(session, name).id, "principal_id": lookup.actor_id(session, member)}
        made = session.perform(self.ops.approve, path)
        session.say(f"{made.principal.handle} is in {self.kind} {name}")
        session.show_change([made], MEMBER)
        session.next(f"retinue {self.kind} members {name}")

    def put(
        self, session: Session, found: Group, member: Many, expires: str | None, justification: str | None
    ) -> None:
        """Put members in, and say who they are."""
        ending = durations.checked(expires, "--expires") if expires else None
        body = {"members": list(member), "expires": ending, "justification": justification}
        made = session.perform(self.ops.add, {"id": found.id}, body).items
        for each in made:
            waits = ", once a second person approves" if each.state == "pending" else ""
            session.say(f"{each.principal.handle} is in {self.kind} {found.name}{waits}")
        if made:
            if session.options.output is not None or output.form(session.options) != "table":
                output.show_list([Page(made)], MEMBER, session.options)
            session.next(f"retinue {self.kind} members {found.name}")

    def take(self, session: Session, found: Group, member: Many, options: DangerOptions) -> None:
        """Take members out, once it is sure that this is meant."""
        confirm.one("take members out of", found.name, [f"leaves: {each}" for each in member], options)
        made = session.perform(self.ops.remove, {"id": found.id}, {"members": list(member)})
        self.done(session, made, "changed")

    def find(self, session: Session, text: str) -> Group:
        """Return the one with this name or id."""
        return lookup.named(session, self.ops.list, self.ops.get, self.kind, text, prefix=self.prefix)

    def done(self, session: Session, made: Group, verb: str) -> None:
        """Say and show what a change resulted in."""
        session.say(f"{verb} {self.kind} {made.name} ({made.id})")
        session.show_change([made], GROUP)
        last = "list" if verb == "deleted" else f"get {made.id}"
        session.next(f"retinue {self.kind} {last}")
