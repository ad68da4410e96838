"""Files that declare permissions: ``permissions.yaml``, or the OpenAPI document of the host's API."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from retinue.cli.exits import CommandError, Exit
from retinue.client.access import Permission
from retinue.guard import openapi
from retinue.guard.openapi import Operation
from retinue.permission import resource_of

#: What a declaration says beside the name.
_TOLD = ("label", "description", "sensitivity")


@dataclass(frozen=True)
class Declared:
    """The entries of a file. Of an OpenAPI document also the operations, and which need a permission."""

    entries: list[Any]
    is_openapi: bool = False
    operations: tuple[Operation, ...] = ()
    used_by: dict[str, tuple[Operation, ...]] = field(default_factory=dict)

    def completed(self, present: dict[str, Permission]) -> list[Any]:
        """Return the entries; an OpenAPI document that does not describe a permission leaves it as it is."""
        if not self.is_openapi:
            return self.entries
        return [{**_description(present.get(each["name"])), **each} for each in self.entries]


def _description(known: Permission | None) -> dict[str, str]:
    return {} if known is None else {name: getattr(known, name) for name in _TOLD}


def read(file: Path, scheme: str | None) -> Declared:
    """Return what a file declares; ``-`` is standard input. What entries may say is decided by the server."""
    name = "standard input" if str(file) == "-" else str(file)
    document = _document(file, name)
    if openapi.is_openapi(document):
        try:
            api = openapi.read(document, scheme)
        except openapi.OpenApiError as error:
            raise CommandError(f"{name}: {error}", "mend the document", Exit.USAGE) from None
        entries: list[dict[str, Any]] = [{"name": each, **told} for each, told in api.permissions.items()]
        if not entries:
            todo = "say what operations need by x-retinue-permission, or name a security scheme by --scheme"
            raise CommandError(f"{name}: names no permission", todo, Exit.USAGE)
        return Declared(entries, True, api.operations, dict(api.used_by))
    if scheme is not None:
        raise CommandError(f"{name}: no OpenAPI document", "--scheme is for those alone", Exit.USAGE)
    listed = document.get("permissions") if isinstance(document, dict) else None
    if not isinstance(listed, list) or set(document) != {"permissions"}:
        todo = "one key, `permissions`, with a list; or an OpenAPI document"
        raise CommandError(f"{name}: no list", todo, Exit.USAGE)
    return Declared([{"name": each} if isinstance(each, str) else each for each in listed])


def _document(file: Path, name: str) -> Any:
    try:
        data = sys.stdin.buffer.read(openapi.MAX_BYTES + 1) if str(file) == "-" else _bytes(file)
    except OSError as error:
        raise CommandError(
            f"{name}: {type(error).__name__}", "name a file that can be read", Exit.USAGE
        ) from None
    try:
        return openapi.parse(data)
    except openapi.OpenApiError as error:
        todo = "a list under `permissions`, or an OpenAPI document, in YAML or JSON"
        raise CommandError(f"{name}: {error}", todo, Exit.USAGE) from None


def _bytes(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(openapi.MAX_BYTES + 1)


def changes(declared: Declared, present: dict[str, Permission], *, withdraws: bool) -> list[dict[str, Any]]:
    """Return what an import would change, permission by permission; the server decides in the end."""
    wanted: dict[str, dict[str, Any]] = {}
    for place, each in enumerate(declared.completed(present)):
        name = each.get("name") if isinstance(each, dict) else None
        if not isinstance(name, str):
            raise CommandError(f"permissions[{place}]: a name, or a mapping with a name", code=Exit.USAGE)
        wanted[name] = each
    reserved = {resource_of(name).split(".")[0] for name, each in present.items() if each.management}
    found = [
        {
            "permission": name,
            "change": _change(name, each, present.get(name), reserved),
            "operations": [one.text for one in declared.used_by.get(name, ())],
        }
        for name, each in wanted.items()
    ]
    if withdraws:
        found += [
            {"permission": name, "change": "withdrawn", "operations": []}
            for name, each in present.items()
            if name not in wanted and each.declared_by == "import"
        ]
    return sorted(found, key=lambda each: str(each["permission"]))


def _change(name: str, entry: dict[str, Any], known: Permission | None, reserved: set[str]) -> str:
    if resource_of(name).split(".")[0] in reserved:
        return "reserved"
    if known is None:
        return "declared"
    told = {"label": "", "description": "", "sensitivity": "normal"} | entry
    return "unchanged" if all(told[name] == getattr(known, name) for name in _TOLD) else "described"
