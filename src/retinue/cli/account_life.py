"""Enabling, approving, disabling, deleting and restoring service accounts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from cyclopts import Parameter

from retinue.cli import confirm as ask
from retinue.cli import lookup, many
from retinue.cli.durations import ago
from retinue.cli.exits import CommandError, Exit
from retinue.cli.many import Where
from retinue.cli.options import CHANGE_DEFAULTS, DANGER_DEFAULTS, ChangeOptions, DangerOptions
from retinue.cli.session import Session, each
from retinue.cli.shapes import ACCOUNT
from retinue.cli.wording import Words, act, done, noun, words
from retinue.client import bulk
from retinue.client import operations as ops
from retinue.client.bulk import BulkResult
from retinue.client.models import ServiceAccount
from retinue.client.operations import Operation
from retinue.client.organization import DisablePreview

Confirm = Annotated[str | None, Parameter(help="The name, or for several their number, instead of asking.")]


def enable(
    *accounts: str, where: Where = (), confirm: Confirm = None, options: DangerOptions = DANGER_DEFAULTS
) -> int:
    """Let service accounts be used again. What was revoked stays revoked."""
    if where:
        return _many(bulk.ENABLE_ACCOUNTS, "enable", accounts, where, options, confirm)
    session = Session(options, ops.ENABLE_ACCOUNT, ops.LIST_ACCOUNTS)
    _some(accounts)
    return _change(session, ops.ENABLE_ACCOUNT, accounts, "enabled")


def approve(*accounts: str, options: ChangeOptions = CHANGE_DEFAULTS) -> int:
    """Let new service accounts be used that wait for a second principal. Not for who created them."""
    session = Session(options, ops.APPROVE_ACCOUNT, ops.LIST_ACCOUNTS)
    _some(accounts)
    return _change(session, ops.APPROVE_ACCOUNT, accounts, "approved")


def disable(
    *accounts: str, where: Where = (), confirm: Confirm = None, options: DangerOptions = DANGER_DEFAULTS
) -> int:
    """Refuse all keys of service accounts until they are enabled again."""
    if where:
        return _many(bulk.DISABLE_ACCOUNTS, "disable", accounts, where, options, confirm)
    session = Session(options, ops.DISABLE_ACCOUNT, ops.LIST_ACCOUNTS)
    _some(accounts)
    if len(accounts) > 1:
        ask.several("disable", list(accounts), options, confirm)
    known = words(session)

    def confirmed(account_id: str) -> dict[str, str] | None:
        preview = session.look(ops.PREVIEW_DISABLE, {"id": account_id})
        if len(accounts) == 1:
            _confirm_disable(preview, accounts[0], act(known, "disable", "disable"), options, confirm)
        return {"confirm": preview.phrase} if preview.phrase else None

    return _change(session, ops.DISABLE_ACCOUNT, accounts, "disabled", known, confirmed)


def _confirm_disable(
    preview: DisablePreview, named: str, called: str, options: DangerOptions, given: str | None
) -> None:
    """Ask as the organization wants it (``accounts.disable_confirm``), with what uses the account now."""
    handle = preview.account.handle
    evidence = [
        f"{handle} ({preview.account.id}), {preview.state}",
        f"used {preview.uses_24h} times in the last 24 hours, last used: {ago(preview.last_used_at)}",
        f"usable keys: {preview.keys_usable}",
    ]
    if preview.phrase:
        ask.typed(called, preview.phrase, evidence, options, given)
    elif preview.confirm != "none" or given is not None:
        ask.one(called, handle if given == handle else named, evidence, options, given)


def delete(
    *accounts: str, where: Where = (), confirm: Confirm = None, options: DangerOptions = DANGER_DEFAULTS
) -> int:
    """Delete service accounts: their keys are refused for good. Restoring brings back no key."""
    if where:
        return _many(bulk.DELETE_ACCOUNTS, "delete", accounts, where, options, confirm)
    session = Session(options, ops.DELETE_ACCOUNT, ops.LIST_ACCOUNTS)
    _confirm(session, "delete", accounts, options, confirm)
    return _change(session, ops.DELETE_ACCOUNT, accounts, "deleted")


def restore(account: str, /, *, options: ChangeOptions = CHANGE_DEFAULTS) -> int:
    """Bring a deleted service account back: disabled, and without keys."""
    session = Session(options, ops.RESTORE_ACCOUNT, ops.LIST_ACCOUNTS)
    return _change(session, ops.RESTORE_ACCOUNT, (account,), "restored")


#: What the organization may call otherwise.
_ACTS = {"enabled": "enable", "disabled": "disable", "deleted": "delete"}
_NEXT = {
    "enabled": "retinue key list {handle}",
    "approved": "retinue key list {handle}",
    "disabled": "retinue account enable {handle}",
    "deleted": "retinue account restore {id}",
    "restored": "retinue account enable {handle}",
}


def _change(
    session: Session,
    operation: Operation[ServiceAccount],
    accounts: tuple[str, ...],
    became: str,
    known: Words | None = None,
    body: Callable[[str], dict[str, str] | None] = lambda ident: None,
) -> int:
    said = words(session) if known is None else known
    called = done(said, _ACTS.get(became, ""), became), noun(said, "service_account", "service account")

    def change(text: str) -> ServiceAccount:
        ident = lookup.account_id(session, text)
        changed = session.perform(operation, {"id": ident}, body(ident))
        session.say(f"{called[0]} {called[1]} {changed.handle} ({changed.id})")
        return changed

    changed, code = each(accounts, change)
    if changed:
        session.show_change(changed, ACCOUNT, many=len(accounts) > 1)
        session.next(_NEXT[became].format(handle=changed[0].handle, id=changed[0].id))
    return code


def _confirm(
    session: Session, act: str, accounts: tuple[str, ...], options: DangerOptions, given: str | None
) -> None:
    _some(accounts)
    if len(accounts) > 1:
        ask.several(act, list(accounts), options, given)
        return
    evidence = []
    if ask.may_ask(options.no_input) and not options.yes and given is None:
        found = lookup.account(session, accounts[0])
        evidence = [
            f"{found.handle} ({found.id}), {found.status or found.state}",
            f"usable keys: {found.keys.usable}, last used: {ago(found.last_used_at)}",
        ]
    ask.one(act, accounts[0], evidence, options, given)


def _many(
    operation: Operation[BulkResult],
    verb: str,
    accounts: tuple[str, ...],
    where: tuple[str, ...],
    options: DangerOptions,
    confirm: str | None,
) -> int:
    many.check_one_way(accounts, where)
    session = Session(options, operation)
    known: dict[str, Callable[[str], str]] = {
        "state": str,
        "search": str,
        "role": str,
        "owner": lambda text: lookup.actor_id(session, text),
    }
    return many.act(session, operation, verb, many.filters(where, known), options, confirm)


def _some(accounts: tuple[str, ...]) -> None:
    if not accounts:
        raise CommandError("which service account?", "name one or more", Exit.USAGE)
