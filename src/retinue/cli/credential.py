"""``retinue credential list``, ``retinue identify``, ``retinue compromise``: credentials of every kind."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import App, Parameter

from retinue.cli import confirm as ask
from retinue.cli import durations, lookup, output
from retinue.cli.cells import Column, Shape
from retinue.cli.durations import ago
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import DANGER_DEFAULTS, DEFAULTS, DangerOptions, Options
from retinue.cli.session import Session
from retinue.cli.shapes import CREDENTIAL
from retinue.client import credential_operations as ops
from retinue.client.effects import EXPIRY_PLAN, PlannedExpiry
from retinue.client.models import Page

app = App(name="credential", help="Keys, personal access tokens and ingest tokens in one list.")
identify_app = App(name="identify", help="Which credential is this token?")
compromise_app = App(name="compromise", help="Something has leaked: end everything in a scope, for good.")
_MOST = 4096
Kind = Literal["api_key", "personal_access_token", "ingest_token"]
Status = Literal[
    "usable", "never_used", "idle", "expiring", "retiring", "expired", "blocked", "revoked", "suspended"
]
Days = Annotated[str | None, Parameter(metavar="DAYS", help="Such as 30d.")]

PLANNED = Shape[PlannedExpiry](
    columns=(
        Column("account", "key.account"),
        Column("name", "key.name"),
        Column("id", "key.id"),
        Column("expires", "key.expires_at", ago),
        Column("becomes", "expires_at", ago),
    ),
    name=lambda planned: lookup.key_label(planned.key),
    id=lambda planned: planned.key.id,
)


@app.command(name="list")
def list_(
    *,
    kind: Annotated[Kind | None, Parameter(help="Only of this kind.")] = None,
    account: Annotated[str | None, Parameter(help="Only of this account or person.")] = None,
    status: Annotated[Status | None, Parameter(help="Only with this status.")] = None,
    used: Annotated[Days, Parameter(name="--used", help="Only used in these days.")] = None,
    idle: Annotated[Days, Parameter(name="--idle", help="Only unused for these days.")] = None,
    expiring: Annotated[Days, Parameter(name="--expiring", help="Only ending in these days.")] = None,
    search: Annotated[str | None, Parameter(help="Only with this text.")] = None,
    sort: Annotated[
        Literal["name", "-name", "issued_at", "-issued_at"] | None, Parameter(help="Order.")
    ] = None,
    limit: Annotated[int | None, Parameter(help="At most so many.")] = None,
    options: Options = DEFAULTS,
) -> None:
    """List the credentials of the organization that I may see."""
    session = Session(options, ops.LIST_CREDENTIALS)
    query = {
        "kind": kind,
        "account": account,
        "status": status,
        "used_within": durations.days(used, "--used") if used else None,
        "unused_for": durations.days(idle, "--idle") if idle else None,
        "expires_within": durations.days(expiring, "--expiring") if expiring else None,
        "search": search,
        "sort": sort,
    }
    output.show_list(session.pages(ops.LIST_CREDENTIALS, None, query, limit), CREDENTIAL, options)


@app.command(name="expiry-plan")
def expiry_plan(*, options: Options = DEFAULTS) -> None:
    """List what lives longer than the policy allows, and when `expiry.enforce: all` ends it."""
    session = Session(options, EXPIRY_PLAN)
    found = session.perform(EXPIRY_PLAN)
    if options.output in ("json", "jsonl", "yaml"):
        output.show_object(msgspec.to_builtins(found), options)
    else:
        output.show_list([Page(found.items)], PLANNED, options)
    session.say(f"{found.credentials} credentials, {found.in_use} used in the last 24 hours")
    session.say(f"expiry.enforce is {found.enforce}")


@identify_app.default
def identify(
    file: Annotated[
        str, Parameter(help="File with the token; - for standard input.", allow_leading_hyphen=True)
    ] = "-",
    /,
    *,
    options: Options = DEFAULTS,
) -> int:
    """Tell which credential a token is, and whether it is accepted. Exit code 7 if it is not."""
    session = Session(options, ops.IDENTIFY)
    try:
        text = sys.stdin.read(_MOST) if file == "-" else Path(file).read_text()[:_MOST]
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file}: {error}", "name another file", Exit.USAGE) from None
    if options.print_curl:
        session.perform(ops.IDENTIFY, None, {"token": "$TOKEN"})
    found = session.perform(ops.IDENTIFY, None, {"token": text.strip()})
    output.show_one(found.key, CREDENTIAL, options)
    session.say("accepted" if found.accepted else f"refused: {found.reason}")
    return Exit.DONE if found.accepted else Exit.NEGATIVE


@compromise_app.default
def compromise(
    key: Annotated[str | None, Parameter(help="A key, as ACCOUNT/NAME or by id.")] = None,
    /,
    *,
    account: Annotated[str | None, Parameter(help="All keys of this service account.")] = None,
    user: Annotated[str | None, Parameter(help="All tokens of this person.")] = None,
    whole: Annotated[
        bool, Parameter(name="--organization", help="Everything, this command's own token too.", negative="")
    ] = False,
    confirm: Annotated[str | None, Parameter(help="How many credentials end, instead of asking.")] = None,
    options: DangerOptions = DANGER_DEFAULTS,
) -> None:
    """Revoke everything in a scope as compromised: no overlap, no way back. Shows first what is in use."""
    given = [each for each in (key, account, user, whole) if each]
    if len(given) != 1:
        raise CommandError(
            "what is compromised?", "name a key, or one of --account, --user and --organization", Exit.USAGE
        )
    kind = "key" if key else "account" if account else "user" if user else "organization"
    act = ops.COMPROMISE[kind]
    session = Session(options, act.act, act.preview)
    path: dict[str, str] = {}
    if key:
        path = {"id": lookup.credential_id(session, key)}
    if account:
        path = {"id": lookup.account_id(session, account)}
    if user:
        path = {"id": lookup.user(session, user).id}
    found = session.look(act.preview, path)
    called = key or account or user or "the organization"
    evidence = [f"{found.credentials} credentials, {found.in_use} of them used in the last 24 hours"]
    evidence += [f"{lookup.key_label(each)} ({each.id}), {each.status}" for each in found.items[:10]]
    _confirm(called, found.credentials, evidence, confirm, options)
    ended = session.perform(act.act, path, {"confirm": found.credentials})
    session.say(f"compromised: {ended.credentials} credentials of {called} are revoked for good")
    session.show_change(ended.items, CREDENTIAL, many=True)
    session.next("retinue audit list")


def _confirm(called: str, count: int, evidence: list[str], given: str | None, options: DangerOptions) -> None:
    """A severe act: --yes is not enough for more than one; the number is."""
    if count == 1:
        ask.one("end as compromised", called, evidence, options, None if given in (None, "1") else given)
        return
    ask.several(f"end as compromised, of {called},", [*map(str, range(count))], options, given, evidence)
