"""``retinue key``: API keys of service accounts."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from retinue.cli import confirm as ask
from retinue.cli import durations, held, key_end, key_import, key_life, key_many, lookup, many, output
from retinue.cli.exits import CommandError, Exit
from retinue.cli.handover import TokenFormat
from retinue.cli.issuing import hand_key_over
from retinue.cli.key_end import evidence
from retinue.cli.key_life import Endpoints, Methods, Networks, ReadOnly, Times, one_key, restrictions
from retinue.cli.key_many import Confirm
from retinue.cli.key_overlap import Extend, Finish, Running, Undo, WaitZero
from retinue.cli.many import Where
from retinue.cli.options import (
    CHANGE_DEFAULTS,
    DANGER_DEFAULTS,
    DEFAULTS,
    ChangeOptions,
    DangerOptions,
    Options,
)
from retinue.cli.session import Session
from retinue.cli.shapes import KEY
from retinue.client import operations as ops
from retinue.client.credential_operations import LIST_CREDENTIALS
from retinue.token import Token

app = App(name="key", help="API keys of service accounts. A key is written ACCOUNT/NAME or as its id.")
for _command in (key_life.restrict, key_life.expire, key_life.restore, key_end.revoke, key_end.delete):
    app.command(_command)
app.command(key_import.import_, name="import")
Status = Literal["usable", "retiring", "expired", "revoked", "suspended"]
Out = Annotated[
    str | None,
    Parameter(
        help="File for the token (mode 0600, never overwritten), or - to print it.", allow_leading_hyphen=True
    ),
]
Form = Annotated[TokenFormat, Parameter(name="--format", help="Form of the token.")]
Expires = Annotated[str | None, Parameter(help="Such as 90d, or never.", metavar="DURATION")]
Local = Annotated[bool, Parameter(help="Make the token here: the server gets its digest alone.", negative="")]
Prefix = Annotated[str | None, Parameter(help="What tokens begin with here, for --local and --digest.")]
Compromised = Annotated[bool, Parameter(help="The old token ends at once, for good.", negative="")]


@app.command(name="list")
def list_(
    account: str | None = None,
    /,
    *,
    status: Annotated[Status | None, Parameter(help="Only with this status.")] = None,
    idle: Annotated[
        str | None, Parameter(metavar="DAYS", help="Only neither used nor issued in these days: 30d.")
    ] = None,
    search: Annotated[str | None, Parameter(help="Only with this text.")] = None,
    limit: Annotated[int | None, Parameter(help="At most so many.")] = None,
    options: Options = DEFAULTS,
) -> None:
    """List the keys of the organization, or of one account."""
    session = Session(options, ops.LIST_KEYS)
    owner = lookup.account_id(session, account) if account else None
    query = {"account": owner, "status": status, "search": search}
    if idle is not None:
        # The list of all credentials knows how long each was not used.
        query |= {"kind": "api_key", "unused_for": str(durations.days(idle, "--idle"))}
        output.show_list(session.pages(LIST_CREDENTIALS, None, query, limit), KEY, options)
        return
    output.show_list(session.pages(ops.LIST_KEYS, None, query, limit), KEY, options)


@app.command
def get(key: str, /, *, options: Options = DEFAULTS) -> None:
    """Show one key."""
    session = Session(options, ops.GET_KEY)
    found = lookup.key(session, key)
    if options.print_curl:
        session.perform(ops.GET_KEY, {"id": found.id})
    output.show_one(found, KEY, options)


@app.command
def issue(
    account: str,
    /,
    *,
    name: Annotated[str | None, Parameter(help="Name of the key.")] = None,
    expires: Expires = None,
    network: Networks = (),
    endpoint: Endpoints = (),
    method: Methods = (),
    read_only: ReadOnly = False,
    time: Times = (),
    local: Local = False,
    digest: Annotated[
        str | None,
        Parameter(help="File (- for standard input) with KEY_ID SHA256.", allow_leading_hyphen=True),
    ] = None,
    prefix: Prefix = None,
    out: Out = None,
    format_: Form = "raw",
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Issue a key. Its token is told once: into --out FILE, or alone on standard output."""
    session = Session(options, ops.ISSUE_KEY, ops.LIST_ACCOUNTS)
    made = _held(local, prefix, digest)
    body = {
        "name": name,
        "expires": durations.checked(expires, "--expires", never=True) if expires else None,
        "restrictions": restrictions(network, endpoint, method, read_only, time),
        "digest": held.read(digest, prefix) if digest else _digest(made),
    }
    with session.handover(out, format_).ready(needed=digest is None) as handover:
        path = {"id": lookup.account_id(session, account)}
        hand_key_over(session, session.perform(ops.ISSUE_KEY, path, body), handover, held=made)


def _held(local: bool, prefix: str | None, digest: str | None = None, kid: str | None = None) -> Token | None:
    if prefix and not local and not digest:
        raise CommandError("--prefix is for a token that is made here", "add --local", Exit.USAGE)
    if local and digest:
        raise CommandError("--local and --digest both say who makes the token", "give one", Exit.USAGE)
    return held.make(prefix, kid) if local else None


def _digest(made: Token | None) -> dict[str, str] | None:
    return None if made is None else held.digest_of(made)


@app.command
def rename(key: str, new: str, /, *, options: ChangeOptions = CHANGE_DEFAULTS) -> None:
    """Give a key another name."""
    session = Session(options, ops.RENAME_KEY, ops.LIST_ACCOUNT_KEYS)
    changed = session.perform(ops.RENAME_KEY, {"id": lookup.key(session, key).id}, {"name": new})
    session.say(f"renamed key {changed.id}: {lookup.key_label(changed)}")
    session.show_change([changed], KEY)
    session.next(f"retinue key get {lookup.key_label(changed)}")


@app.command
def rotate(
    key: str | None = None,
    /,
    *,
    where: Where = (),
    overlap: Annotated[
        str | None, Parameter(help="How long the old key still works: 24h, or now.", metavar="DURATION")
    ] = None,
    name: Annotated[str | None, Parameter(help="Name of the new key.")] = None,
    expires: Expires = None,
    compromised: Compromised = False,
    finish: Finish = False,
    wait_zero: WaitZero = None,
    extend: Extend = None,
    undo: Undo = False,
    local: Local = False,
    prefix: Prefix = None,
    out: Out = None,
    format_: Form = "raw",
    confirm: Confirm = None,
    options: DangerOptions = DANGER_DEFAULTS,
) -> int:
    """Issue a successor with a new id; the old key works on for the overlap and then retires."""
    many.check_one_way((key,) if key else (), where)
    wanted = _overlap(overlap)
    ending = durations.checked(expires, "--expires", never=True) if expires else None
    running = Running(finish, wait_zero, extend, undo)
    if where:
        if name or compromised or running or local or prefix or format_ != "raw":
            raise CommandError("--where goes with --overlap, --expires and --out", "one by one", Exit.USAGE)
        return key_many.rotate(where, out, {"overlap": wanted, "expires": ending}, options, confirm)
    if running:
        other = {"--overlap": overlap, "--name": name, "--expires": expires, "--compromised": compromised}
        running.check_alone(other | {"--local": local, "--prefix": prefix, "--out": out})
        return running.act(one_key(key), options, confirm)
    session = Session(options, ops.ROTATE_KEY, ops.LIST_ACCOUNT_KEYS)
    old = lookup.key(session, one_key(key))
    if compromised or wanted == "0s":
        ask.one("end at once", lookup.key_label(old), evidence(old), options, confirm)
    made = _held(local, prefix)
    body = {
        "overlap": wanted,
        "name": name,
        "expires": ending,
        "compromised": compromised or None,
        "digest": _digest(made),
    }
    with session.handover(out, format_).ready() as handover:
        issued = session.perform(ops.ROTATE_KEY, {"id": old.id}, body)
        hand_key_over(session, issued, handover, done="rotated: new", held=made)
    return Exit.DONE


def _overlap(text: str | None) -> str | None:
    if text is None:
        return None
    return "0s" if text == "now" else durations.checked(text, "--overlap")


@app.command
def regenerate(
    key: str,
    /,
    *,
    overlap: Annotated[
        str | None, Parameter(help="How long the old token still works: 1h, or now.", metavar="DURATION")
    ] = None,
    compromised: Compromised = False,
    local: Local = False,
    prefix: Prefix = None,
    out: Out = None,
    format_: Form = "raw",
    options: DangerOptions = DANGER_DEFAULTS,
) -> None:
    """Give a key a new secret under the same id; the old token works on if the policy has an overlap."""
    session = Session(options, ops.REGENERATE_KEY, ops.LIST_ACCOUNT_KEYS)
    old = lookup.key(session, key)
    ask.one("regenerate", lookup.key_label(old), evidence(old), options)
    made = _held(local, prefix, kid=old.key_id)
    body = {
        "overlap": _overlap(overlap),
        "compromised": compromised or None,
        "digest": _digest(made),
    }
    with session.handover(out, format_).ready() as handover:
        issued = session.perform(ops.REGENERATE_KEY, {"id": old.id}, body)
        hand_key_over(session, issued, handover, done="regenerated", held=made)
