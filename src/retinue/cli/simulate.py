"""``retinue simulate``: who would hold something else after changes that are not made."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from retinue.cli import lookup, output
from retinue.cli.cells import Column, Shape
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import DEFAULTS, Options
from retinue.cli.session import Session
from retinue.cli.subjects import subject_id
from retinue.cli.values import pair
from retinue.client import effects
from retinue.client.effects import Difference
from retinue.client.models import Page

app = App(name="simulate", help="What would change if?")
DIFFERENCE = Shape[Difference](
    columns=(
        Column("principal", "principal"),
        Column("gained", "gained"),
        Column("lost", "lost"),
        Column("limited", "limited"),
    ),
    name=lambda difference: difference.principal.handle,
    id=lambda difference: difference.principal.id,
)
_EXAMPLE = "act=grant subject=etl permission=report:read"
#: What names something that has an id, and what kind of thing a plain name means there.
_NAMED = {"subject": "", "group": "group:"}


@app.default
def simulate(
    *changes: Annotated[str, Parameter(help=f'Change, such as "{_EXAMPLE}"; they are tried in order.')],
    principal: Annotated[
        tuple[str, ...], Parameter(help="Compare this one (default: whom it concerns).", negative="")
    ] = (),
    options: Options = DEFAULTS,
) -> None:
    """Try changes of access without making them, and list who would gain and lose what.

    Acts: grant, take_grant, assign, unassign, add_member, remove_member, update_role, delete_role,
    delete_group, update_access_policy, delete_access_policy; with subject, permission, resource, role, group,
    permissions (comma separated), enabled and id, as each needs.
    """
    if not changes:
        raise CommandError("what would change?", f'name a change: "{_EXAMPLE}"', Exit.USAGE)
    session = Session(options, effects.SIMULATE)
    body = {
        "changes": [_step(session, each) for each in changes],
        "principals": [lookup.actor_id(session, each) for each in principal] or None,
    }
    found = session.perform(effects.SIMULATE, None, body)
    if options.output in ("json", "jsonl", "yaml"):
        output.show_object(msgspec.to_builtins(found), options)
    else:
        output.show_list([Page(found.items)], DIFFERENCE, options)
    session.say(f"{len(found.items)} of {found.examined} would hold something else; nothing was changed")
    if found.truncated:
        session.say("there are more than were looked at: name some with --principal")


def _step(session: Session, text: str) -> dict[str, Any]:
    made: dict[str, Any] = dict(pair(each, "act=grant") for each in text.split())
    for name, kind in _NAMED.items():
        if isinstance(made.get(name), str):
            value = made[name]
            made[name] = subject_id(session, value if ":" in value or not kind else f"{kind}{value}")
    if isinstance(made.get("permissions"), str):
        made["permissions"] = made["permissions"].split(",")
    return made
