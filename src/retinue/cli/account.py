"""``retinue account``: service accounts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from retinue.cli import account_access, account_life, account_trim, durations, lookup, output
from retinue.cli.exits import CommandError, Exit
from retinue.cli.handover import Handover
from retinue.cli.issuing import hand_key_over
from retinue.cli.options import CHANGE_DEFAULTS, DEFAULTS, ChangeOptions, Options
from retinue.cli.report import tell
from retinue.cli.session import Session
from retinue.cli.shapes import ACCOUNT
from retinue.cli.values import pair
from retinue.client import operations as ops
from retinue.client.access import GROUPS, TEAMS
from retinue.client.errors import ClientError
from retinue.client.models import ServiceAccount

app = App(name="account", help="Service accounts: identities of programs.")
#: The same commands under the short name.
alias = App(name="sa", help="Service accounts (see: retinue account).")
Many = tuple[str, ...]
Days = Annotated[str | None, Parameter(metavar="DAYS")]
Status = Literal["active", "attention", "idle", "ownerless", "disabled", "deleted"]


@app.command(name="list")
def list_(
    *,
    state: Annotated[
        Literal["enabled", "disabled", "deleted"] | None, Parameter(help="Only in this state.")
    ] = None,
    owner: Annotated[str | None, Parameter(help="Only of this owner.")] = None,
    role: Annotated[str | None, Parameter(help="Only with this role.")] = None,
    search: Annotated[str | None, Parameter(help="Only with this text.")] = None,
    status: Annotated[Status | None, Parameter(help="Only with this status.")] = None,
    waiting: Annotated[bool, Parameter(help="Only those that wait for approval.", negative="")] = False,
    ownerless: Annotated[bool, Parameter(help="Only those that nobody answers for.", negative="")] = False,
    environment: Annotated[str | None, Parameter(help="Only in this environment.")] = None,
    group: Annotated[str | None, Parameter(help="Only members of this group.")] = None,
    team: Annotated[str | None, Parameter(help="Only members of this team.")] = None,
    idle: Annotated[Days, Parameter(help="Only neither used nor made in these days.")] = None,
    expiring: Annotated[Days, Parameter(help="Only with a key that ends in these days.")] = None,
    sort: Annotated[
        Literal["name", "-name", "created_at", "-created_at"] | None, Parameter(help="Order.")
    ] = None,
    limit: Annotated[int | None, Parameter(help="At most so many.")] = None,
    options: Options = DEFAULTS,
) -> None:
    """List the service accounts."""
    session = Session(options, ops.LIST_ACCOUNTS)
    owner_id = lookup.actor_id(session, owner) if owner else None
    if ownerless and status not in (None, "ownerless"):
        raise CommandError(f"--ownerless and --status {status}", "give one of them", Exit.USAGE)
    query = {"state": state, "owner": owner_id, "role": role, "search": search, "sort": sort}
    query["status"] = "ownerless" if ownerless else status
    query |= {"environment": environment, "group": group, "team": team}
    query["unused_for"] = str(durations.days(idle, "--idle")) if idle else None
    query["expires_within"] = str(durations.days(expiring, "--expiring")) if expiring else None
    query["awaits_approval"] = "true" if waiting else None
    output.show_list(session.pages(ops.LIST_ACCOUNTS, None, query, limit), ACCOUNT, options)


@app.command
def get(account: str, /, *, options: Options = DEFAULTS) -> None:
    """Show one service account."""
    session = Session(options, ops.GET_ACCOUNT)
    if options.print_curl:
        session.perform(ops.GET_ACCOUNT, {"id": lookup.account_id(session, account)})
    output.show_one(lookup.account(session, account), ACCOUNT, options)


@app.command
def create(
    name: str,
    /,
    *,
    purpose: Annotated[str | None, Parameter(help="What it is for.")] = None,
    description: Annotated[str | None, Parameter(help="Free text.")] = None,
    documentation: Annotated[str | None, Parameter(help="Where it is documented.")] = None,
    environment: Annotated[str | None, Parameter(help="Such as production.")] = None,
    system: Annotated[Many, Parameter(help="System that it belongs to.", negative="")] = (),
    attribute: Annotated[Many, Parameter(help="NAME=VALUE, as the policy declares.", negative="")] = (),
    owner: Annotated[Many, Parameter(help="Person who answers for it, by e-mail.", negative="")] = (),
    role: Annotated[Many, Parameter(help="Role to give it.", negative="")] = (),
    permission: Annotated[Many, Parameter(help="Permission to give it.", negative="")] = (),
    group: Annotated[Many, Parameter(help="Group to put it into.", negative="")] = (),
    team: Annotated[Many, Parameter(help="Team to put it into.", negative="")] = (),
    like: Annotated[
        str | None, Parameter(help="Account, or role:NAME, whose permissions are copied.", metavar="NAME")
    ] = None,
    link: Annotated[bool, Parameter(help="With --like: share them, do not copy them.", negative="")] = False,
    justification: Annotated[str | None, Parameter(help="Why it gets what it gets.")] = None,
    key: Annotated[
        str | None, Parameter(help="Issue a key too: --key or --key=NAME.", metavar="NAME")
    ] = None,
    out: Annotated[
        str | None, Parameter(help="File for the key's token, or - to print it.", allow_leading_hyphen=True)
    ] = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> int:
    """Create a service account, with --key also its first key."""
    if out is not None and key is None:
        raise CommandError("--out is for the token of a key", "add --key", Exit.USAGE)
    if link and like is None:
        raise CommandError("--link is for --like", "add --like NAME", Exit.USAGE)
    needs: list[ops.Operation[Any]] = [ops.CREATE_ACCOUNT]
    needs += [ops.ADD_GRANT] if role or permission or like else []
    needs += ([GROUPS.add] if group else []) + ([TEAMS.add] if team else [])
    needs += [ops.ISSUE_KEY] if key is not None else []
    session = Session(options, *needs)
    body = {
        "name": name,
        "purpose": purpose,
        "description": description,
        "documentation": documentation,
        "environment": environment,
        "systems": list(system) or None,
        "attributes": dict(pair(each, "tier=gold") for each in attribute) or None,
        "owners": list(owner) or None,
        "roles": list(role) or None,
        "permissions": list(permission) or None,
        "groups": list(group) or None,
        "teams": list(team) or None,
        "copy_from": _copied(like, link),
        "justification": justification,
    }
    if key is None:
        made = session.perform(ops.CREATE_ACCOUNT, None, body)
        _created(session, made)
        first = account_access.first_key(made)
        if first is not None:
            with session.handover(None).ready() as handover:
                hand_key_over(session, first, handover, {"account": account_access.account_of(made)})
            return Exit.DONE
        session.show_change([account_access.account_of(made)], ACCOUNT)
        session.next(f"retinue key issue {made.handle} --out FILE")
        return Exit.DONE
    with session.handover(out).ready() as handover:
        return _create_with_key(session, body, key or None, handover)


def _copied(like: str | None, link: bool) -> dict[str, str] | None:
    """Return whose permissions a new account gets, and how."""
    if like is None:
        return None
    kind, colon, name = like.partition(":")
    source = {"role": name} if colon and kind == "role" else {"account": like}
    return {**source, "mode": "link" if link else "copy"}


def _create_with_key(session: Session, body: dict[str, Any], key: str | None, handover: Handover) -> int:
    made = session.perform(ops.CREATE_ACCOUNT, None, body)
    _created(session, made)
    issued = account_access.first_key(made)
    if session.is_try and issued is None:
        session.show_change([account_access.account_of(made)], ACCOUNT)
        return Exit.DONE
    try:
        if issued is None:
            issued = session.perform(ops.ISSUE_KEY, {"id": made.id}, {"name": key})
    except ClientError as error:
        tell(error, f"{made.handle} has no key yet")
        session.next(f"retinue key issue {made.handle} --out FILE")
        return Exit.PARTLY
    hand_key_over(session, issued, handover, {"account": account_access.account_of(made)})
    return Exit.DONE


def _created(session: Session, made: ServiceAccount) -> None:
    session.say(f"created service account {made.handle} ({made.id})")
    if made.awaits_approval:
        session.say(f"it waits for a second principal: retinue account approve {made.handle}")


@app.command
def edit(
    account: str,
    /,
    *,
    purpose: Annotated[str | None, Parameter(help="What it is for.")] = None,
    description: Annotated[str | None, Parameter(help="Free text.")] = None,
    documentation: Annotated[str | None, Parameter(help="Where it is documented.")] = None,
    environment: Annotated[str | None, Parameter(help="Such as production.")] = None,
    system: Annotated[Many, Parameter(help="All its systems from now on.", negative="")] = (),
    add_system: Annotated[Many, Parameter(help="One more system.", negative="")] = (),
    remove_system: Annotated[Many, Parameter(help="A system less.", negative="")] = (),
    attribute: Annotated[Many, Parameter(help="NAME=VALUE to set.", negative="")] = (),
    owner: Annotated[Many, Parameter(help="All its owners from now on.", negative="")] = (),
    add_owner: Annotated[Many, Parameter(help="One more owner.", negative="")] = (),
    remove_owner: Annotated[Many, Parameter(help="An owner less.", negative="")] = (),
    role: Annotated[Many, Parameter(help="All its roles from now on.", negative="")] = (),
    add_role: Annotated[Many, Parameter(help="One more role.", negative="")] = (),
    remove_role: Annotated[Many, Parameter(help="A role less.", negative="")] = (),
    justification: Annotated[str | None, Parameter(help="Why it gets what it gets.")] = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Change what is known about a service account, its owners, its roles."""
    session = Session(options, ops.EDIT_ACCOUNT, ops.GET_ACCOUNT)
    now = lookup.account(session, account)

    def people(texts: Many) -> list[str]:
        return [lookup.actor_id(session, text) for text in texts]

    owners = [item.id for item in now.owners]
    body = {
        "purpose": purpose,
        "description": description,
        "documentation": documentation,
        "environment": environment,
        "systems": _merged(now.systems, list(system), list(add_system), list(remove_system)),
        "attributes": {**now.attributes, **dict(pair(each, "tier=gold") for each in attribute)}
        if attribute
        else None,
        "owners": _merged(owners, people(owner), people(add_owner), people(remove_owner)),
        "roles": _merged(now.roles, list(role), list(add_role), list(remove_role)),
    }
    if all(value is None for value in body.values()):
        raise CommandError("nothing to change", "see: retinue account edit --help", Exit.USAGE)
    made = session.perform(ops.EDIT_ACCOUNT, {"id": now.id}, {**body, "justification": justification})
    session.say(f"changed service account {made.handle} ({made.id})")
    session.show_change([made], ACCOUNT)
    session.next(f"retinue account get {made.handle}")


def _merged(now: list[str], new: list[str], add: list[str], remove: list[str]) -> list[str] | None:
    if not (new or add or remove):
        return None
    kept = [each for each in (new or now) if each not in remove]
    return kept + [each for each in add if each not in kept]


@app.command
def rename(account: str, new: str, /, *, options: ChangeOptions = CHANGE_DEFAULTS) -> None:
    """Give a service account another name; its id stays."""
    session = Session(options, ops.EDIT_ACCOUNT, ops.GET_ACCOUNT)
    made = session.perform(ops.EDIT_ACCOUNT, {"id": lookup.account_id(session, account)}, {"name": new})
    session.say(f"renamed service account {made.id}: {made.name} ({made.handle})")
    session.show_change([made], ACCOUNT)
    session.next(f"retinue account get {made.handle}")


for _tree in (app, alias):
    if _tree is alias:
        for _command in (get, create, edit, rename):
            _tree.command(_command)
        _tree.command(list_, name="list")
    for _change in (
        account_life.enable,
        account_life.approve,
        account_life.disable,
        account_life.delete,
        account_life.restore,
        account_access.duplicate,
        account_access.permissions,
        account_access.drift,
        account_trim.trim,
    ):
        _tree.command(_change)
