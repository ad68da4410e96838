"""One act on everything that a filter finds (``--where``): a preview, a confirmed number, one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from cyclopts import Parameter

from retinue.cli import confirm as ask
from retinue.cli import output
from retinue.cli.cells import Column, Shape
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import DangerOptions
from retinue.cli.session import Session
from retinue.client.bulk import BulkItem, BulkResult
from retinue.client.models import Page
from retinue.client.operations import Operation

Where = Annotated[
    tuple[str, ...],
    Parameter(
        name="--where",
        help="Instead of names: all that fit, as FIELD=VALUE; several must all fit.",
        negative="",
    ),
]
R = TypeVar("R", bound=BulkResult)
ITEM = Shape[BulkItem](
    columns=(
        Column("name", "name"),
        Column("id", "id"),
        Column("result", "result"),
        Column("state", "state"),
        Column("code", "code"),
        Column("detail", "detail"),
        Column("uses_24h", "uses_24h"),
    ),
    name=lambda item: item.name or item.id,
    id=lambda item: item.id,
)
#: So many of those that are meant are shown before the question.
_SHOWN = 10


def filters(given: tuple[str, ...], known: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    """Read ``--where``: each field once, its value made into what the API takes."""
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not value:
            raise CommandError(f"--where {text}: not FIELD=VALUE", "such as state=enabled", Exit.USAGE)
        if name not in known:
            raise CommandError(f"--where {text}: no such field", f"known: {', '.join(known)}", Exit.USAGE)
        if name in found:
            raise CommandError(f"--where {name}: given twice", "give each field once", Exit.USAGE)
        found[name] = known[name](value)
    return found


def check_one_way(names: tuple[str, ...], where: tuple[str, ...]) -> None:
    """Refuse names beside a filter."""
    if names and where:
        raise CommandError("names and --where", "name the objects, or give a filter", Exit.USAGE)


def act(
    session: Session,
    operation: Operation[R],
    verb: str,
    where: Mapping[str, Any],
    options: DangerOptions,
    confirm: str | None,
    body: Mapping[str, Any] | None = None,
    then: Callable[[R], None] | None = None,
) -> int:
    """Do it to all that fit, in one transaction; print what became of each. Exit 8 if one was refused.

    ``then`` gets the result before anything is printed.
    """
    sent = {"where": where, **(body or {})}
    if options.print_curl:
        session.perform(operation, None, {**sent, "preview": True})
    found = session.ask(operation, {**sent, "preview": True})
    if options.dry_run or not found.matched:
        session.say(f"would {verb} {found.done} of {found.matched}, {found.refused} refused")
        output.show_list([Page(found.items)], ITEM, options)
        return Exit.DONE
    evidence = [
        f"{each.name or each.id}, used {each.uses_24h} times in 24 h" for each in found.items[:_SHOWN]
    ]
    if found.matched > _SHOWN:
        evidence.append(f"and {found.matched - _SHOWN} more")
    ask.several(verb, [each.id for each in found.items], options, confirm, evidence)
    made = session.perform(operation, None, {**sent, "expected": found.matched, "digest": found.digest})
    if then is not None:
        then(made)
    past = f"{verb}d" if verb.endswith("e") else f"{verb}ed"
    session.say(f"{past} {made.done} of {made.matched}, {made.unchanged} as before, {made.refused} refused")
    output.show_list([Page(made.items)], ITEM, options)
    session.next("retinue audit list --since 1h")
    return Exit.PARTLY if made.refused else Exit.DONE
