"""What an account or a person holds, how far it has drifted, and a duplicate with the same access."""

from __future__ import annotations

from typing import Annotated

import msgspec
from cyclopts import Parameter

from retinue.cli import lookup, output
from retinue.cli.cells import Column, Shape
from retinue.cli.durations import ago
from retinue.cli.issuing import hand_key_over
from retinue.cli.options import CHANGE_DEFAULTS, DEFAULTS, ChangeOptions, Options
from retinue.cli.session import Session
from retinue.cli.shapes import ACCOUNT
from retinue.client import effects
from retinue.client import operations as ops
from retinue.client.effects import Drifted, EffectivePermission
from retinue.client.models import CreatedAccount, Expiry, IssuedKey, ServiceAccount

HELD = Shape[EffectivePermission](
    columns=(
        Column("permission", "permission"),
        Column("held", "held"),
        Column("last used", "last_used_at", ago),
        Column("paths", "sources", lambda value: "; ".join(each["text"] for each in value or [])),
    ),
    name=lambda held: held.permission,
    id=lambda held: held.permission,
)
DRIFTED = Shape[Drifted](
    columns=(Column("origin", "origin"), Column("missing", "missing"), Column("extra", "extra")),
    name=lambda drifted: drifted.origin,
    id=lambda drifted: drifted.origin,
)


def permissions(account: str, /, *, options: Options = DEFAULTS) -> None:
    """List what a service account holds, with every path to each permission."""
    session = Session(options, effects.ACCOUNT_PERMISSIONS, ops.LIST_ACCOUNTS)
    path = {"id": lookup.account_id(session, account)}
    output.show_list([session.perform(effects.ACCOUNT_PERMISSIONS, path)], HELD, options)


def of_user(user: str, /, *, options: Options = DEFAULTS) -> None:
    """List what a person holds, with every path to each permission."""
    session = Session(options, effects.USER_PERMISSIONS, ops.LIST_USERS)
    path = {"id": lookup.user(session, user).id}
    output.show_list([session.perform(effects.USER_PERMISSIONS, path)], HELD, options)


def drift(account: str, /, *, options: Options = DEFAULTS) -> None:
    """List how an account differs by now from what its permissions were copied from."""
    session = Session(options, effects.ACCOUNT_DRIFT, ops.LIST_ACCOUNTS)
    path = {"id": lookup.account_id(session, account)}
    output.show_list([session.perform(effects.ACCOUNT_DRIFT, path)], DRIFTED, options)


def duplicate(
    account: str,
    name: str,
    /,
    *,
    justification: Annotated[str | None, Parameter(help="Why, for what is elevated.")] = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Create an account with the fields and the access of another, and without its keys."""
    session = Session(options, effects.DUPLICATE_ACCOUNT, ops.LIST_ACCOUNTS)
    path = {"id": lookup.account_id(session, account)}
    body = {"name": name, "justification": justification}
    made = session.perform(effects.DUPLICATE_ACCOUNT, path, body)
    copy = account_of(made)
    session.say(f"created service account {copy.handle} ({copy.id}), as {account}")
    first = first_key(made)
    if first is not None:
        with session.handover(None).ready() as handover:
            hand_key_over(session, first, handover, {"account": copy})
        return
    session.show_change([copy], ACCOUNT)
    session.next(f"retinue key issue {copy.handle} --out FILE")


def first_key(made: CreatedAccount) -> IssuedKey | None:
    """Return the key that came with an account: where each account gets one, it is not asked for."""
    if made.key is None or made.token is None:
        return None
    return IssuedKey(key=made.key, token=made.token, expiry=made.expiry or Expiry())


def account_of(made: CreatedAccount) -> ServiceAccount:
    """Return a new account as any other: without its key, which is told apart."""
    told = msgspec.structs.asdict(made)
    return ServiceAccount(**{name: told[name] for name in ServiceAccount.__struct_fields__})
