"""How a key is narrowed, ends and comes back: restrict, expire, restore."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from retinue.cli import confirm as ask
from retinue.cli import durations, key_many, lookup, many, windows
from retinue.cli.durations import ago
from retinue.cli.exits import CommandError, Exit
from retinue.cli.key_many import Confirm
from retinue.cli.many import Where
from retinue.cli.options import CHANGE_DEFAULTS, DANGER_DEFAULTS, ChangeOptions, DangerOptions
from retinue.cli.session import Session
from retinue.cli.shapes import KEY
from retinue.client import operations as ops
from retinue.client.models import Key

Many = tuple[str, ...]
READS = ("GET", "HEAD", "OPTIONS")
Networks = Annotated[Many, Parameter(name="--network", help="Only from this network (CIDR).", negative="")]
Endpoints = Annotated[
    Many, Parameter(name="--endpoint", help="Only this path; /reports/* also below.", negative="")
]
Methods = Annotated[Many, Parameter(name="--method", help="Only with this HTTP method.", negative="")]
ReadOnly = Annotated[bool, Parameter(help="Only GET, HEAD and OPTIONS.", negative="")]
Times = Annotated[
    Many,
    Parameter(name="--time", help='Only then: "mon-fri 08:00-18:00 Europe/Berlin".', negative=""),
]


def restrictions(
    network: Many, endpoint: Many, method: Many, read_only: bool, time: Many = ()
) -> dict[str, Any] | None:
    """Return the restrictions that flags ask for; ``None`` if they ask for none."""
    methods = list(dict.fromkeys([*method, *(READS if read_only else ())]))
    asked: dict[str, list[Any]] = {
        "networks": list(network),
        "endpoints": list(endpoint),
        "methods": methods,
        "times": windows.read(time),
    }
    stated = {name: values for name, values in asked.items() if values}
    return stated or None


def restrict(
    key: str | None = None,
    /,
    *,
    where: Where = (),
    network: Networks = (),
    endpoint: Endpoints = (),
    method: Methods = (),
    read_only: ReadOnly = False,
    time: Times = (),
    none: Annotated[bool, Parameter(help="No restriction any more.", negative="")] = False,
    confirm: Confirm = None,
    options: DangerOptions = DANGER_DEFAULTS,
) -> int:
    """Narrow a key to exactly these networks, paths, methods and times; what is not named is not narrowed.

    With --where, a kind of restriction that is not named stays as each key has it.
    """
    many.check_one_way((key,) if key else (), where)
    wanted = restrictions(network, endpoint, method, read_only, time)
    if (wanted is None) != none:
        raise CommandError(
            "to what is the key narrowed?", "name at least one restriction, or --none alone", Exit.USAGE
        )
    if where:
        nothing: dict[str, Any] = {"networks": [], "endpoints": [], "methods": [], "times": []}
        return key_many.restrict(where, wanted or nothing, options, confirm)
    session = Session(options, ops.RESTRICT_KEY, ops.LIST_ACCOUNT_KEYS)
    found = lookup.key(session, one_key(key))
    changed = session.perform(ops.RESTRICT_KEY, {"id": found.id}, {"restrictions": wanted or {}})
    session.say(f"narrowed key {lookup.key_label(changed)} ({changed.id}): {in_words(changed)}")
    session.show_change([changed], KEY)
    session.next(f"retinue key get {lookup.key_label(changed)}")
    return Exit.DONE


def one_key(key: str | None) -> str:
    """Return the key that is named. Raises (exit 2) if none is."""
    if not key:
        raise CommandError("which key?", "name it as ACCOUNT/NAME or by id, or give --where", Exit.USAGE)
    return key


def in_words(key: Key) -> str:
    """Say what a key is narrowed to."""
    narrowed = key.restrictions
    parts = [
        f"from {', '.join(narrowed.networks)}" if narrowed.networks else "",
        f"{', '.join(narrowed.methods)} only" if narrowed.methods else "",
        f"on {', '.join(narrowed.endpoints)}" if narrowed.endpoints else "",
        f"at {windows.in_words(narrowed.times)}" if narrowed.times else "",
    ]
    return "; ".join(part for part in parts if part) or "not at all"


def expire(
    key: str | None = None,
    /,
    *,
    where: Where = (),
    at: Annotated[str | None, Parameter(help="An instant, such as 2027-01-31T00:00:00Z, or never.")] = None,
    in_: Annotated[
        str | None, Parameter(name="--in", help="A duration from now, such as 30d.", metavar="DURATION")
    ] = None,
    now: Annotated[bool, Parameter(help="At once.", negative="")] = False,
    confirm: Confirm = None,
    options: DangerOptions = DANGER_DEFAULTS,
) -> int:
    """Give a key another end: earlier at will, later as far as the policy allows."""
    many.check_one_way((key,) if key else (), where)
    given = [each for each in (at, in_, "now" if now else None) if each]
    if len(given) != 1:
        raise CommandError("when does the key end?", "give one of --at, --in and --now", Exit.USAGE)
    wanted = durations.checked(in_, "--in") if in_ else given[0]
    if where:
        return key_many.expire(where, wanted, options, confirm)
    session = Session(options, ops.EXPIRE_KEY, ops.LIST_ACCOUNT_KEYS)
    named = one_key(key)
    found = lookup.key(session, named, "accepted")
    if now:
        evidence = [
            f"{lookup.key_label(found)} ({found.id}), {found.status or found.state}",
            f"last used: {ago(found.last_used_at)}, used {found.use_count} times",
        ]
        ask.one("expire", named, evidence, options, confirm)
    changed = session.perform(ops.EXPIRE_KEY, {"id": found.id}, {"expires": wanted})
    end = f"expires {changed.expiry.at}" if changed.expiry.at else "never expires"
    session.say(f"key {lookup.key_label(changed.key)} ({changed.key.id}) {end}")
    session.show_change([changed.key], KEY)
    session.next(f"retinue key get {changed.key.id}")
    return Exit.DONE


def restore(key: str, /, *, options: ChangeOptions = CHANGE_DEFAULTS) -> None:
    """Bring back a key that was revoked not long ago, or that the policy suspended."""
    session = Session(options, ops.RESTORE_KEY, ops.LIST_ACCOUNT_KEYS)
    found = lookup.key(session, key, "ended")
    changed = session.perform(ops.RESTORE_KEY, {"id": found.id})
    session.say(f"restored key {lookup.key_label(changed)} ({changed.id})")
    session.show_change([changed], KEY)
    session.next(f"retinue key get {changed.id}")
