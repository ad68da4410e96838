"""``retinue account trim``: take from an account the permissions of its own that it does not use."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

from cyclopts import Parameter

from retinue.cli import confirm as ask
from retinue.cli import durations, lookup, output
from retinue.cli.durations import ago
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import DANGER_DEFAULTS, DangerOptions
from retinue.cli.session import Session
from retinue.cli.shapes import GRANT
from retinue.client import access, effects
from retinue.client import operations as ops
from retinue.client.effects import EffectivePermission
from retinue.client.models import Grant, Page


def trim(
    account: str,
    /,
    *,
    used_in: Annotated[
        str, Parameter(metavar="DAYS", help="Keep what was used in these days.", show_default=True)
    ] = "90d",
    confirm: Annotated[str | None, Parameter(help="The name, instead of asking.")] = None,
    options: DangerOptions = DANGER_DEFAULTS,
) -> None:
    """Take away permissions of its own that an account did not use, if it has had them for so long.

    What it has by roles, groups, teams and access policies stays, and what is for some resources alone.
    """
    days = durations.days(used_in, "--used-in")
    session = Session(options, access.CHANGE_GRANTS, ops.ADD_GRANT, effects.ACCOUNT_PERMISSIONS)
    since = _instant(durations.instant(f"{days}d", "--used-in"))
    path = {"id": lookup.account_id(session, account)}
    own = session.look_all(access.LIST_ACCOUNT_GRANTS, path)
    held = session.look(effects.ACCOUNT_PERMISSIONS, path).items
    unused = [each for each in own if _is_old(each, since) and _last_use(each, held) < since]
    if not unused:
        session.say(
            f"nothing to trim: {account} used all of its own in {days} days, or has not had it for so long"
        )
        return
    names = [str(each.permission) for each in unused]
    evidence = [f"{each.permission}, granted {ago(each.granted_at)}, {_words(each, held)}" for each in unused]
    ask.one("trim", account, evidence, options, confirm)
    changed = session.perform(access.CHANGE_GRANTS, path, {"take": names})
    session.say(f"took {', '.join(str(each.permission) for each in changed.taken)} from {account}")
    if options.output is not None or output.form(options) != "table":
        output.show_list([Page(changed.taken)], GRANT, options)
    session.next(f"retinue account permissions {account}")


def _is_old(grant: Grant, since: datetime) -> bool:
    is_whole = grant.state == "active" and grant.resource == "*" and grant.granted_at is not None
    return is_whole and _instant(grant.granted_at) <= since


def _uses(grant: Grant, held: Iterable[EffectivePermission]) -> list[str]:
    """Return when each permission that a grant gives was last used; a pattern gives several."""
    return [
        each.last_used_at
        for each in held
        if each.last_used_at and any(_is_of(source.path, grant) for source in each.sources)
    ]


def _is_of(path: list[dict[str, Any]], grant: Grant) -> bool:
    return len(path) == 1 and path[0].get("kind") == "direct" and path[0].get("id") == grant.id


def _last_use(grant: Grant, held: Iterable[EffectivePermission]) -> datetime:
    return max(map(_instant, _uses(grant, held)), default=datetime.fromisoformat("0001-01-01T00:00:00+00:00"))


def _words(grant: Grant, held: Iterable[EffectivePermission]) -> str:
    return f"last used: {ago(max(_uses(grant, held), default=None))}"


def _instant(text: str | None) -> datetime:
    if text is None:
        raise CommandError("the server gave no instant", code=Exit.FAILED)
    return datetime.fromisoformat(text)
