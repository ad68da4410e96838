"""``retinue routes``: what the routes of a host application require. No server is asked."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from retinue.cli import output
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import GROUP, Format, Options
from retinue.guard.adapter import Route
from retinue.guard.discovery import DiscoveryError, find

app = App(name="routes", help="What the routes of a host application require.")

_UNSAFE = ("uncovered", "unguarded")
_ROUTE = output.Shape[dict[str, Any]](
    columns=(
        output.Column("access", "access"),
        output.Column("methods", "methods"),
        output.Column("path", "path"),
        output.Column("permissions", "permissions"),
        output.Column("resource", "resource", data_only=True),
    ),
    name=lambda route: f"{','.join(route['methods'])} {route['path']}",
    id=lambda route: f"{','.join(route['methods'])} {route['path']}",
)


@Parameter(name="*", group=GROUP)
@dataclass(frozen=True, kw_only=True)
class LocalOptions:
    """For a command that calls no API."""

    output: Annotated[
        Format | None,
        Parameter(name=["--output", "-o"], help="Form of the data: table on a terminal, tsv in a pipe."),
    ] = None
    fields: Annotated[str | None, Parameter(help="Only these fields, comma-separated.", metavar="A,B")] = None
    quiet: Annotated[
        bool, Parameter(name=["--quiet", "-q"], negative="", help="No talk on standard error, errors only.")
    ] = False
    no_color: Annotated[bool, Parameter(negative="", help="No colour. [env: NO_COLOR]")] = False


@dataclass(frozen=True)
class _Page:
    items: list[dict[str, Any]]
    next: None = None


@app.command
def check(
    application: Annotated[
        str, Parameter(help="MODULE:NAME of the application, or a module of Django settings.")
    ],
    /,
    *,
    every: Annotated[
        bool, Parameter(name=["--all", "-a"], negative="", help="List the covered routes too.")
    ] = False,
    factory: Annotated[
        bool, Parameter(negative="", help="NAME is a function that makes the application.")
    ] = False,
    app_dir: Annotated[
        Path, Parameter(help="Where modules are looked for first; the present folder if not given.")
    ] = Path(),
    options: LocalOptions = LocalOptions(),
) -> int:
    """List the routes that no rule covers, and those that are public; exit 7 if one is not covered.

    The module is imported, so its code runs, with the rights of whoever calls this; no server is started.
    An uncovered route is refused to everybody; an unguarded one has no guard before it, so that everybody
    gets in. Applications of FastAPI, Starlette, Flask, Django and Django REST framework, or what stands in
    asgi.Protect or wsgi.Protect.
    """
    host = _found(application, app_dir, factory)
    shown = [each for each in host if every or each.access in (*_UNSAFE, "public")]
    given = Options(output=options.output, fields=options.fields, no_color=options.no_color)
    output.show_list([_Page([told(each) for each in shown])], _ROUTE, given)
    wrong = [each for each in host if each.access in _UNSAFE]
    if not options.quiet:
        print(_summary(host), file=sys.stderr)
    return Exit.NEGATIVE if wrong else Exit.DONE


def _found(application: str, folder: Path, is_factory: bool) -> list[Route]:
    if not folder.is_dir():
        raise CommandError(f"--app-dir {folder}: no folder", "", Exit.USAGE)
    try:
        host = find(application, folder=folder, is_factory=is_factory)
    except DiscoveryError as error:
        raise CommandError(output.clean(str(error)), "retinue routes check --help") from None
    return sorted(host.routes, key=lambda each: (each.template, each.methods))


def told(route: Route) -> dict[str, Any]:
    """Return what is told of a route."""
    required = route.required or ()
    resources = [each.resource for each in required if each.resource is not None]
    return {
        "methods": list(route.methods),
        "path": route.template,
        "access": route.access,
        "permissions": list(route.permissions),
        "any": any(each.is_any for each in required),
        "resource": resources[0] if resources else None,
    }


def _summary(routes: list[Route]) -> str:
    kinds = ("uncovered", "unguarded", "public", "optional", "token", "permission")
    counts = {kind: sum(each.access == kind for each in routes) for kind in kinds}
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    return f"{len(routes)} routes" + (f": {told}" if told else "")
