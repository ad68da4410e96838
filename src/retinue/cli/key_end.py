"""The ends of keys: revoked, deleted; by name, or all that a filter finds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from retinue.cli import confirm as ask
from retinue.cli import lookup, many
from retinue.cli.durations import ago
from retinue.cli.exits import CommandError, Exit
from retinue.cli.key_many import Confirm, key_filters
from retinue.cli.many import Where
from retinue.cli.options import DANGER_DEFAULTS, DangerOptions
from retinue.cli.session import Session, each
from retinue.cli.shapes import KEY
from retinue.client import bulk
from retinue.client import operations as ops
from retinue.client.models import Key
from retinue.client.operations import Operation

Because = Literal["no_longer_needed", "owner_left", "privilege_withdrawn", "compromised", "other"]


def revoke(
    *keys: str,
    where: Where = (),
    because: Annotated[Because, Parameter(help="Why, by kind.", show_default=True)] = "no_longer_needed",
    confirm: Confirm = None,
    options: DangerOptions = DANGER_DEFAULTS,
) -> int:
    """Revoke keys. When the command returns, they are refused."""
    session = Session(options, *_needs(where, bulk.REVOKE_KEYS, ops.REVOKE_KEY))
    if because == "other" and not options.reason:
        raise CommandError("--because other: needs words", "add --reason TEXT", Exit.USAGE)
    many.check_one_way(keys, where)
    if where:
        found = key_filters(session, where)
        return many.act(session, bulk.REVOKE_KEYS, "revoke", found, options, confirm, {"reason": because})

    def act(item: Key) -> Key:
        return session.perform(ops.REVOKE_KEY, {"id": item.id}, {"reason": because})

    code, done = _end(session, "revoke", keys, "accepted", options, confirm, act)
    if done:
        session.next(f"retinue log list --key {done[0].id}")
    return code


def delete(
    *keys: str, where: Where = (), confirm: Confirm = None, options: DangerOptions = DANGER_DEFAULTS
) -> int:
    """Delete keys that are revoked or expired; their past stays in the logs."""
    session = Session(options, *_needs(where, bulk.DELETE_KEYS, ops.DELETE_KEY))
    many.check_one_way(keys, where)
    if where:
        return many.act(session, bulk.DELETE_KEYS, "delete", key_filters(session, where), options, confirm)

    def act(item: Key) -> Key:
        return session.perform(ops.DELETE_KEY, {"id": item.id})

    code, done = _end(session, "delete", keys, "ended", options, confirm, act)
    if done:
        session.next(f"retinue audit list --subject {done[0].id}")
    return code


def _end(
    session: Session,
    verb: str,
    keys: tuple[str, ...],
    prefer: lookup.Prefer,
    options: DangerOptions,
    confirm: str | None,
    act: Callable[[Key], Key],
) -> tuple[int, list[Key]]:
    if not keys:
        raise CommandError("which key?", "name one or more as ACCOUNT/NAME or by id, or --where", Exit.USAGE)
    if len(keys) > 1:
        ask.several(verb, list(keys), options, confirm)

    def end(text: str) -> Key:
        found = lookup.key(session, text, prefer)
        if len(keys) == 1:
            ask.one(verb, text, evidence(found), options, confirm)
        changed = act(found)
        session.say(f"{verb}d key {lookup.key_label(changed)} ({changed.id})")
        return changed

    done, code = each(keys, end)
    if done:
        session.show_change(done, KEY, many=len(keys) > 1)
    return code, done


def _needs(
    where: tuple[str, ...], several: Operation[Any], one: Operation[Any]
) -> tuple[Operation[Any], ...]:
    return (several,) if where else (one, ops.LIST_ACCOUNT_KEYS)


def evidence(key: Key) -> list[str]:
    """Return what a person should see of a key before it ends."""
    return [
        f"{lookup.key_label(key)} ({key.id}), {key.status or key.state}",
        f"last used: {ago(key.last_used_at)}, used {key.use_count} times, expires: {ago(key.expires_at)}",
    ]
