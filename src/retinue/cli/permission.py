"""``retinue permission``: the catalogue of permissions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from retinue.cli import confirm, output
from retinue.cli.access_shapes import PERMISSION
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
    file: Annotated[Path, Parameter(help="YAML: a list under `permissions`, as in permissions.yaml.")],
    /,
    *,
    withdraw_others: Annotated[
        bool,
        Parameter(help="Withdraw what an earlier import declared and this file does not.", negative=""),
    ] = False,
    options: DangerOptions = DANGER_DEFAULTS,
) -> None:
    """Declare permissions of the host's API; for operators of the installation."""
    session = Session(options, ops.IMPORT_PERMISSIONS)
    declared = _read(file)
    if withdraw_others:
        evidence = ["who was given one that is withdrawn has it no more"]
        confirm.one("withdraw what is not in", str(file), evidence, options)
    body = {"permissions": declared, "withdraw_others": withdraw_others or None}
    made = session.perform(ops.IMPORT_PERMISSIONS, None, body)
    session.say(f"declared {len(declared)} permissions; there are {made.declared} now")
    if options.output is not None:
        output.show_object(msgspec.to_builtins(made), options)
    session.next("retinue permission list --no-management")


def _read(file: Path) -> list[dict[str, Any]]:
    """Return the entries of a catalogue file; what they may say is decided by the server."""
    import yaml

    try:
        read = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(
            f"{file}: {type(error).__name__}", "name a file that can be read", Exit.USAGE
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise CommandError(f"{file}: not YAML", "a list under `permissions`", Exit.USAGE) from None
    entries = read.get("permissions") if isinstance(read, dict) else None
    if not isinstance(entries, list) or set(read) != {"permissions"}:
        raise CommandError(f"{file}: no list", "one key, `permissions`, with a list", Exit.USAGE)
    return [{"name": each} if isinstance(each, str) else each for each in entries]
