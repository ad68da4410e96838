"""``retinue routes``: what the routes of a host application require. No server is asked."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from retinue.cli import output, permission_files
from retinue.cli.cells import Column, Shape, clean
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import GROUP, Format, Options
from retinue.guard.adapter import ANY, Route
from retinue.guard.discovery import DiscoveryError, find
from retinue.guard.openapi import Operation, same_path

app = App(name="routes", help="What the routes of a host application require.")

#: The operations of a document by their path.
Document = dict[str, list[Operation]]
_UNSAFE = ("uncovered", "unguarded")
_ROUTE = Shape[dict[str, Any]](
    columns=(
        Column("access", "access"),
        Column("methods", "methods"),
        Column("path", "path"),
        Column("permissions", "permissions"),
        Column("resource", "resource", data_only=True),
        Column("differs", "differs", data_only=True),
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
    openapi: Annotated[
        Path | None,
        Parameter(
            help="The API's OpenAPI document: what it says of a permission has to agree.", metavar="FILE"
        ),
    ] = None,
    app_dir: Annotated[
        Path, Parameter(help="Where modules are looked for first; the present folder if not given.")
    ] = Path(),
    options: LocalOptions = LocalOptions(),
) -> int:
    """List the routes that no rule covers, and those that are public; exit 7 if one is not covered.

    The module is imported, so its code runs, with the rights of whoever calls this; no server is
    started. An uncovered route is refused to everybody; an unguarded one has no guard before it, so
    that everybody gets in. Applications of FastAPI, Starlette, Flask, Django and Django REST
    framework, or what stands in asgi.Protect or wsgi.Protect.
    """
    document = None if openapi is None else _by_path(permission_files.read(openapi, None).operations)
    found = [told(each, document) for each in _found(application, app_dir, factory)]
    wrong = [each for each in found if each["access"] in _UNSAFE or each["differs"]]
    shown = [each for each in found if every or each in wrong or each["access"] == "public"]
    given = Options(output=options.output, fields=options.fields, no_color=options.no_color)
    output.show_list([_Page(shown)], _ROUTE, given)
    if not options.quiet:
        for line in (_summary(found), *(text for each in found for text in each["differs"])):
            print(clean(line), file=sys.stderr)
    return Exit.NEGATIVE if wrong else Exit.DONE


def _found(application: str, folder: Path, is_factory: bool) -> list[Route]:
    if not folder.is_dir():
        raise CommandError(f"--app-dir {folder}: no folder", "", Exit.USAGE)
    try:
        host = find(application, folder=folder, is_factory=is_factory)
    except DiscoveryError as error:
        raise CommandError(clean(str(error)), "retinue routes check --help") from None
    return sorted(host.routes, key=lambda each: (each.template, each.methods))


def _by_path(operations: Iterable[Operation]) -> Document:
    found: Document = {}
    for each in operations:
        found.setdefault(same_path(each.path), []).append(each)
    return found


def told(route: Route, document: Document | None = None) -> dict[str, Any]:
    """Return what is told of a route, and where it differs from what a document says of it."""
    required = route.required or ()
    resources = [each.resource for each in required if each.resource is not None]
    return {
        "methods": list(route.methods),
        "path": route.template,
        "access": route.access,
        "permissions": list(route.permissions),
        "any": any(each.is_any for each in required),
        "resource": resources[0] if resources else None,
        "differs": [] if document is None else list(_differences(route, document)),
    }


def _differences(route: Route, document: Document) -> Iterator[str]:
    """Yield what an API's document says otherwise than the route; what it leaves out is no difference."""
    here = " ".join(route.permissions) or route.access
    for each in document.get(same_path(route.template), ()):
        is_same = each.method in route.methods or route.methods == ANY
        if is_same and set(each.need or ()) != set(route.permissions):
            there = " ".join(each.need or ()) or "no permission"
            yield f"{each.text}: {here}, in the document {there}"


def _summary(routes: list[dict[str, Any]]) -> str:
    kinds = ("uncovered", "unguarded", "public", "optional", "token", "permission")
    counts = {kind: sum(each["access"] == kind for each in routes) for kind in kinds}
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    return f"{len(routes)} routes" + (f": {told}" if told else "")
