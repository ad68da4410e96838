"""What is done to a token in the same way whether it is a person's own or the organization's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import App, Parameter

from retinue.cli import confirm as ask
from retinue.cli import durations, lookup, output
from retinue.cli.durations import ago
from retinue.cli.exits import CommandError, Exit
from retinue.cli.handover import TokenFormat
from retinue.cli.issuing import hand_key_over
from retinue.cli.key_life import Endpoints, Methods, Networks, ReadOnly, Times, in_words, restrictions
from retinue.cli.options import (
    CHANGE_DEFAULTS,
    DANGER_DEFAULTS,
    ChangeOptions,
    DangerOptions,
    Options,
)
from retinue.cli.session import Session
from retinue.cli.shapes import PERSONAL_TOKEN
from retinue.client.credential_operations import Tokens
from retinue.client.models import Key

Out = Annotated[
    str | None,
    Parameter(
        help="File for the token (mode 0600, never overwritten), or - to print it.", allow_leading_hyphen=True
    ),
]
Form = Annotated[TokenFormat, Parameter(name="--format", help="Form of the token.")]
Expires = Annotated[str | None, Parameter(help="Such as 90d, or never.", metavar="DURATION")]
Overlap = Annotated[
    str | None, Parameter(help="How long the old token still works: 24h, or now.", metavar="DURATION")
]
Limit = Annotated[int | None, Parameter(help="At most so many.")]


@dataclass(frozen=True)
class Noun:
    """A kind of token: its command, what it is called, and its operations."""

    command: str
    called: str
    ops: Tokens


def find(session: Session, noun: Noun, text: str) -> Key:
    """Return the token with this id, key id or name."""
    return lookup.token(session, noun.ops.listed, noun.called, text)


def listed(noun: Noun, limit: int | None, options: Options) -> None:
    """List tokens."""
    session = Session(options, noun.ops.listed)
    output.show_list(session.pages(noun.ops.listed, None, None, limit), PERSONAL_TOKEN, options)


def issued(
    noun: Noun, body: dict[str, object], out: str | None, form: TokenFormat, options: ChangeOptions
) -> None:
    """Issue a token and hand it over."""
    session = Session(options, noun.ops.issue)
    with session.handover(out, form).ready() as handover:
        made = session.perform(noun.ops.issue, None, body)
        hand_key_over(session, made, handover, noun=noun.called)


def _evidence(token: Key) -> list[str]:
    return [f"{token.name} ({token.id}), {token.status}", f"last used: {ago(token.last_used_at)}"]


def _show(session: Session, noun: Noun, done: str, token: Key) -> None:
    session.say(f"{done} {noun.called} {token.name} ({token.id})")
    session.show_change([token], PERSONAL_TOKEN)
    session.next(f"retinue {noun.command} list")


def add(app: App, noun: Noun) -> None:
    """Give an app the commands of a token's life."""
    _add_names(app, noun)
    _add_rotate(app, noun)
    _add_regenerate(app, noun)
    _add_expire(app, noun)
    _add_ends(app, noun)


def _add_names(app: App, noun: Noun) -> None:
    ops = noun.ops

    @app.command
    def rename(token: str, new: str, /, *, options: ChangeOptions = CHANGE_DEFAULTS) -> None:
        """Give a token another name."""
        session = Session(options, ops.rename, ops.listed)
        found = find(session, noun, token)
        _show(session, noun, "renamed", session.perform(ops.rename, {"id": found.id}, {"name": new}))

    @app.command
    def restrict(
        token: str,
        /,
        *,
        network: Networks = (),
        endpoint: Endpoints = (),
        method: Methods = (),
        read_only: ReadOnly = False,
        time: Times = (),
        none: Annotated[bool, Parameter(help="No restriction any more.", negative="")] = False,
        options: ChangeOptions = CHANGE_DEFAULTS,
    ) -> None:
        """Narrow a token to exactly these networks, paths, methods and times."""
        session = Session(options, ops.restrict, ops.listed)
        wanted = restrictions(network, endpoint, method, read_only, time)
        if (wanted is None) != none:
            raise CommandError(
                "to what is the token narrowed?", "name at least one restriction, or --none alone", Exit.USAGE
            )
        found = find(session, noun, token)
        changed = session.perform(ops.restrict, {"id": found.id}, {"restrictions": wanted or {}})
        _show(session, noun, f"narrowed ({in_words(changed)})", changed)


def _add_rotate(app: App, noun: Noun) -> None:
    ops = noun.ops

    @app.command
    def rotate(
        token: str,
        /,
        *,
        overlap: Overlap = None,
        name: Annotated[str | None, Parameter(help="Name of the new token.")] = None,
        expires: Expires = None,
        finish: Annotated[
            bool, Parameter(help="End the overlap of a running rotation instead.", negative="")
        ] = False,
        out: Out = None,
        format_: Form = "raw",
        options: DangerOptions = DANGER_DEFAULTS,
    ) -> None:
        """Issue a successor; the old token works on for the overlap and then retires."""
        session = Session(options, ops.rotate, ops.listed)
        wanted = _overlap(overlap)
        old = find(session, noun, token)
        if finish or wanted == "0s":
            ask.one("end at once", token, _evidence(old), options)
        if finish:
            _show(session, noun, "retired", session.perform(ops.finish, {"id": old.id}))
            return
        ends = durations.checked(expires, "--expires", never=True) if expires else None
        with session.handover(out, format_).ready() as handover:
            made = session.perform(
                ops.rotate, {"id": old.id}, {"overlap": wanted, "name": name, "expires": ends}
            )
            hand_key_over(session, made, handover, done="rotated: new", noun=noun.called)


def _add_regenerate(app: App, noun: Noun) -> None:
    ops = noun.ops

    @app.command
    def regenerate(
        token: str,
        /,
        *,
        overlap: Overlap = None,
        out: Out = None,
        format_: Form = "raw",
        options: DangerOptions = DANGER_DEFAULTS,
    ) -> None:
        """Give a token a new secret under the same id; the old one works on if the policy has an overlap."""
        session = Session(options, ops.regenerate, ops.listed)
        old = find(session, noun, token)
        ask.one("regenerate", token, _evidence(old), options)
        with session.handover(out, format_).ready() as handover:
            made = session.perform(ops.regenerate, {"id": old.id}, {"overlap": _overlap(overlap)})
            hand_key_over(session, made, handover, done="regenerated", noun=noun.called)


def _overlap(text: str | None) -> str | None:
    if text is None:
        return None
    return "0s" if text == "now" else durations.checked(text, "--overlap")


def _add_expire(app: App, noun: Noun) -> None:
    ops = noun.ops

    @app.command
    def expire(
        token: str,
        /,
        *,
        at: Annotated[str | None, Parameter(help="An instant, or never.")] = None,
        in_: Annotated[
            str | None, Parameter(name="--in", help="A duration from now, such as 30d.", metavar="DURATION")
        ] = None,
        now: Annotated[bool, Parameter(help="At once.", negative="")] = False,
        options: DangerOptions = DANGER_DEFAULTS,
    ) -> None:
        """Give a token another end: earlier at will, later as far as the policy allows."""
        session = Session(options, ops.expire, ops.listed)
        given = [each for each in (at, in_, "now" if now else None) if each]
        if len(given) != 1:
            raise CommandError("when does the token end?", "give one of --at, --in and --now", Exit.USAGE)
        found = find(session, noun, token)
        if now:
            ask.one("expire", token, _evidence(found), options)
        wanted = durations.checked(in_, "--in") if in_ else given[0]
        changed = session.perform(ops.expire, {"id": found.id}, {"expires": wanted})
        _show(session, noun, f"expires {changed.expiry.at or 'never'}:", changed.key)


def _add_ends(app: App, noun: Noun) -> None:
    ops = noun.ops

    @app.command
    def revoke(token: str, /, *, options: DangerOptions = DANGER_DEFAULTS) -> None:
        """Revoke a token. When the command returns, it is refused."""
        session = Session(options, ops.revoke, ops.listed)
        found = find(session, noun, token)
        ask.one("revoke", token, _evidence(found), options)
        _show(session, noun, "revoked", session.perform(ops.revoke, {"id": found.id}))

    @app.command
    def restore(token: str, /, *, options: ChangeOptions = CHANGE_DEFAULTS) -> None:
        """Bring back a token that was revoked not long ago, or that the policy suspended."""
        session = Session(options, ops.restore, ops.listed)
        found = find(session, noun, token)
        _show(session, noun, "restored", session.perform(ops.restore, {"id": found.id}))

    @app.command
    def delete(token: str, /, *, options: DangerOptions = DANGER_DEFAULTS) -> None:
        """Delete a token that is revoked or expired; its past stays in the logs."""
        session = Session(options, ops.delete, ops.listed)
        found = find(session, noun, token)
        ask.one("delete", token, _evidence(found), options)
        _show(session, noun, "deleted", session.perform(ops.delete, {"id": found.id}))
