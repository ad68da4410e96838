"""Writes the reference pages of the command line and of the HTTP API from what the code says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from cyclopts import App

from retinue.cli.exits import MEANINGS
from retinue.cli.options import GROUP

CLI_HEAD = """\
# Commands

`retinue <noun> <verb> [object] [flags]`. The object is a name or an id, a key `ACCOUNT/NAME` or its id; flags may stand
in any order. This page is written from the program: `retinue <noun> <verb> --help` says the same.
"""
API_HEAD = """\
# HTTP API

Every operation of the control plane, from its own description at `GET /v1/openapi.json`. A call carries
`Authorization: Bearer <token>`; a body is JSON. Refusals are problem documents ([codes](problems.md)); what takes
access away answers with a receipt ([what it promises](../explanation/revocation.md)). An operation without a permission
is about the caller itself, or public.
"""


def commands(app: App, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], App]]:
    """Yield each command with its words, in the order of the alphabet."""
    for word in sorted(each for each in app if not each.startswith("-")):
        command = app[word]
        if command.default_command is not None:
            yield (*path, word), command
        yield from commands(command, (*path, word))


def cli(app: App) -> str:
    """Return the page of the command line."""
    parts, noun = [CLI_HEAD, _global_flags(app), _exit_codes()], ""
    for words, command in commands(app):
        if words[0] != noun:
            noun = words[0]
            parts.append(f"## {noun}\n")
        parts.append(_command(words, command))
    return "\n".join(parts)


def undescribed(app: App) -> list[str]:
    """Return what of the command line says nothing of itself: commands, and flags."""
    found = [" ".join(words) for words, command in commands(app) if not _help(command)]
    return found + [
        f"{' '.join(words)} {names[0]}"
        for words, command in commands(app)
        for names, text, _ in _arguments(command)
        if names[0].startswith("-") and not text
    ]


def _help(command: App) -> str:
    return " ".join((command.help or "").split("\n\n")[0].split())


def _arguments(command: App) -> Iterator[tuple[tuple[str, ...], str, bool]]:
    """Yield names, meaning, and whether it is one of the global flags."""
    for each in command.assemble_argument_collection():
        if each.show:
            text = " ".join((each.parameter.help or "").split())
            yield each.names, text, GROUP in cast(tuple[Any, ...], each.parameter.group or ())


def _command(words: tuple[str, ...], command: App) -> str:
    arguments = list(_arguments(command))
    objects = [names[0] for names, _, _ in arguments if not names[0].startswith("-")]
    lines = [f"### retinue {' '.join(words)}\n", f"`{' '.join(['retinue', *words, *objects])} [flags]`\n"]
    lines.append(f"{_help(command)}\n")
    own = [(names, text) for names, text, is_global in arguments if not is_global and text]
    if own:
        lines += ["| | |", "|---|---|", *(_row(names, text) for names, text in own), ""]
    return "\n".join(lines)


def _row(names: tuple[str, ...], text: str) -> str:
    flags = ", ".join(f"`{name}`" for name in names if not name.startswith("--no-") or len(names) == 1)
    return f"| {flags} | {_cell(text)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _global_flags(app: App) -> str:
    """Return the flags that commands share, each once."""
    found = {
        names: text
        for _, command in commands(app)
        for names, text, is_global in _arguments(command)
        if is_global
    }
    rows = [_row(names, text) for names, text in found.items()]
    return "\n".join(["## Flags that commands share\n", "| | |", "|---|---|", *rows, ""])


def _exit_codes() -> str:
    rows = [f"| {int(code)} | {_cell(meaning)} |" for code, meaning in MEANINGS.items()]
    return "\n".join(["## Exit codes\n", "| code | meaning |", "|---|---|", *rows, ""])


def api(document: dict[str, Any]) -> str:
    """Return the page of the HTTP API, from its OpenAPI document."""
    by_tag: dict[str, list[str]] = {}
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            text = _operation(f"{method.upper()} {path}", operation, schemas)
            by_tag.setdefault(operation["tags"][0], []).append(text)
    parts = [API_HEAD]
    for tag in sorted(by_tag):
        parts += [f"## {tag.replace('_', ' ').capitalize()}\n", *by_tag[tag]]
    return "\n".join(parts)


def _operation(address: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    needed = " and ".join(f"`{each}`" for each in operation["x-retinue-permission"])
    needs = f"Needs {needed}. " if needed else ""
    lines = [f"### {address}\n", f"{operation['summary']}.\n"]
    answers = ", ".join(f"`{status}`" for status in operation["responses"] if status < "300")
    lines.append(f"{needs}Answers {answers}; operation `{operation['operationId']}`.\n")
    rows = [
        f"| `{each['name']}` | {each['in']} | {_type(each['schema'])} | {_cell(each.get('description', ''))} |"
        for each in operation.get("parameters", ())
        if each["in"] in ("path", "query")
    ]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    for field, schema in schemas.get(name, {}).get("properties", {}).items():
        must = " (required)" if field in schemas[name].get("required", ()) else ""
        rows.append(f"| `{field}`{must} | body | {_type(schema)} | {_cell(schema.get('description', ''))} |")
    if rows:
        lines += ["| field | in | type | meaning |", "|---|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _type(schema: dict[str, Any]) -> str:
    """Return a type in words."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("type", "any"))
