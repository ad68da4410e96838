"""``retinue explain`` and ``retinue who-can``: may somebody, why, and who may."""

from __future__ import annotations

from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from retinue.cli import output
from retinue.cli.access_shapes import WHO
from retinue.cli.cells import clean
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import DEFAULTS, Options
from retinue.cli.session import Session
from retinue.client import access as ops
from retinue.client.access import Explained

app = App(name="explain", help="May somebody, and why?")
who_app = App(name="who-can", help="Who may?")
Resource = Annotated[str | None, Parameter(help="On the resource with this id of the host's.")]


@app.default
def explain(
    principal: str,
    permission: str,
    /,
    *,
    resource: Resource = None,
    attribute: Annotated[
        tuple[str, ...], Parameter(help="NAME=VALUE that the host knows of the resource.", negative="")
    ] = (),
    options: Options = DEFAULTS,
) -> int:
    """Say whether a principal may now, and by which paths. Exit 7 if not."""
    session = Session(options, ops.EXPLAIN)
    body = {
        "principal": principal,
        "permission": permission,
        "resource": resource,
        "attributes": dict(_pair(each) for each in attribute) or None,
    }
    found = session.perform(ops.EXPLAIN, None, body)
    if output.form(options) == "table":
        for line in _told(found):
            print(clean(line))
    else:
        output.show_object(msgspec.to_builtins(found), options)
    return Exit.DONE if found.allowed else Exit.NEGATIVE


@who_app.default
def who_can(
    permission: str,
    /,
    *,
    resource: Resource = None,
    limit: Annotated[int | None, Parameter(help="At most so many.")] = None,
    options: Options = DEFAULTS,
) -> None:
    """List who may use a permission now."""
    session = Session(options, ops.WHO_CAN)
    query = {"permission": permission, "resource": resource}
    output.show_list(session.pages(ops.WHO_CAN, None, query, limit), WHO, options)


def _told(found: Explained) -> list[str]:
    """Return the answer in words: yes or no first, then the paths, then those that do not reach here."""
    where = f" on {found.resource}" if found.resource is not None else ""
    verdict = "may" if found.allowed else f"may not ({found.reason})"
    lines = [f"{found.principal.handle} {verdict}: {found.permission}{where}"]
    lines += [f"  {each.text}" for each in found.paths]
    return lines + [f"  not here, or no longer: {each.text}" for each in found.others]


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise CommandError(f"{text}: not NAME=VALUE", "such as region=eu", Exit.USAGE)
    return name, value
