"""``retinue permission``: the catalogue of permissions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from retinue.cli import confirm, output, permission_files
from retinue.cli.access_shapes import PERMISSION
from retinue.cli.cells import Column, Shape
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import DANGER_DEFAULTS, DEFAULTS, DangerOptions, Options
from retinue.cli.session import Session
from retinue.client import access as ops

app = App(name="permission", help="The permissions that can be given: the host's, and those of management.")


@app.command(name="list")
def list_(
    *,
    search: Annotated[str | None, Parameter(help="Only with this text.")] = None,
    management: Annotated[
        bool | None, Parameter(help="Only those of management; or only the host's.")
    ] = None,
    limit: Annotated[int | None, Parameter(help="At most so many.")] = None,
    options: Options = DEFAULTS,
) -> None:
    """List the permissions by name."""
    session = Session(options, ops.LIST_PERMISSIONS)
    kind = None if management is None else str(management).lower()
    query = {"search": search, "management": kind}
    output.show_list(session.pages(ops.LIST_PERMISSIONS, None, query, limit), PERMISSION, options)


@app.command
def get(permission: str, /, *, options: Options = DEFAULTS) -> None:
    """Show one permission."""
    session = Session(options, ops.LIST_PERMISSIONS)
    pages = session.pages(ops.LIST_PERMISSIONS, None, {"search": permission})
    found = [each for page in pages for each in page.items if each.name == permission]
    if not found:
        raise CommandError(f"no permission {permission}", "see: retinue permission list", Exit.NOT_FOUND)
    output.show_one(found[0], PERMISSION, options)


@app.command(name="import")
def import_(
    file: Annotated[
        Path,
        Parameter(
            help="YAML with a list under `permissions`, or an OpenAPI document; - is standard input.",
            allow_leading_hyphen=True,
        ),
    ],
    /,
    *,
    scheme: Annotated[
        str | None,
        Parameter(help="Of an OpenAPI document: the security scheme whose scopes are permissions."),
    ] = None,
    withdraw_others: Annotated[
        bool,
        Parameter(help="Withdraw what an earlier import declared and this file does not.", negative=""),
    ] = False,
    preview: Annotated[bool, Parameter(help="Say what would change, change nothing.", negative="")] = False,
    options: DangerOptions = DANGER_DEFAULTS,
) -> None:
    """Declare permissions of the host's API; for operators of the installation.

    An OpenAPI document says what an operation needs by x-retinue-permission, or by the scopes of
    the security scheme `retinue`. What it does not say of a permission stays as it is.
    """
    declared = permission_files.read(file, scheme)
    session = Session(options, ops.IMPORT_PERMISSIONS)
    present: dict[str, ops.Permission] = {}
    if preview or (declared.is_openapi and not options.print_curl):
        present = {each.name: each for each in session.look_all(ops.LIST_PERMISSIONS)}
    if preview:
        _preview(session, permission_files.changes(declared, present, withdraws=withdraw_others), options)
    else:
        if withdraw_others:
            evidence = ["who was given one that is withdrawn has it no more"]
            confirm.one("withdraw what is not in", str(file), evidence, options)
        entries = declared.completed(present)
        body = {"permissions": entries, "withdraw_others": withdraw_others or None}
        made = session.perform(ops.IMPORT_PERMISSIONS, None, body)
        session.say(f"declared {len(entries)} permissions; there are {made.declared} now")
        if options.output is not None:
            output.show_object(msgspec.to_builtins(made), options)
    silent = [each.text for each in declared.operations if each.need is None]
    if silent:
        session.say(f"say nothing of a permission: {', '.join(silent[:20])}{' ...' * (len(silent) > 20)}")
    if not preview:
        session.next("retinue permission list --no-management")


def _preview(session: Session, found: list[dict[str, Any]], options: DangerOptions) -> None:
    output.show_list([_Page(found)], _CHANGE, options)
    counts = {kind: sum(each["change"] == kind for each in found) for kind in _KINDS}
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    session.say(f"nothing was changed; would be: {told or 'nothing'}")


_KINDS = ("declared", "described", "withdrawn", "unchanged", "reserved")
_CHANGE = Shape[dict[str, Any]](
    columns=(
        Column("change", "change"),
        Column("permission", "permission"),
        Column("operations", "operations"),
    ),
    name=lambda change: change["permission"],
    id=lambda change: change["permission"],
)


@dataclass(frozen=True)
class _Page:
    items: list[dict[str, Any]]
    next: None = None
