"""Writes the reference pages of the command line and of the HTTP API from what the code says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from cyclopts import App

from retinue.cli.exits import MEANINGS
from retinue.cli.options import GROUP
from retinue.server.access.catalogue import MANAGEMENT

CLI_HEAD = """\
# Commands

`retinue <noun> <verb> [object] [flags]`. The object is a name or an id, a key `ACCOUNT/NAME` or its id; flags may stand
in any order. This page is written from the program: `retinue <noun> <verb> --help` says the same.
"""
API_HEAD = """\
# HTTP API

Every operation of the control plane, from its own description at `GET /v1/openapi.json`. A call carries
`Authorization: Bearer <token>`; a body is JSON, and so is the answer ([its objects](objects.md)). Refusals are problem
documents ([codes](problems.md)); what takes access away answers with a receipt as well, in `receipt` ([what it
promises](../explanation/revocation.md)). An operation without a permission is about the caller itself, or public.

Every call may carry `Retinue-Organization`, the id or handle of the organization that is meant. Every change takes
`Idempotency-Key`, which makes a retry safe, and most take `Retinue-Dry-Run: true`; one with a receipt takes
`Prefer: wait=<seconds>` or `respond-async`. Answers carry `Retinue-Request-Id`, and `Retinue-Revision` where something
changed. Lists have `limit` and `cursor`: what stands in `next` of one page is the `cursor` of the following.
"""
OBJECTS_HEAD = """\
# Objects of the HTTP API

What operations answer, and what stands in the bodies that they take ([operations](api.md)). `null` is what is not known
or was not given. Instants are RFC 3339 in UTC. An answer of what may take access away has `receipt` besides: a
[Receipt](#receipt), or `null` if nothing was taken.
"""
#: The model of an answer that carries a receipt is called like the one without, and this.
_WITH_RECEIPT = "AndReceipt"
#: What permissions allow that are asked for elsewhere than by an operation.
ELSEWHERE = {
    "decision:ask": "Ask a node for decisions from another host than its own",
    "request_log:export": "Nothing yet: who may read the request log may take it as a file, too",
}
#: What a list has.
_LIST = {"items", "next"}


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
        parts += [f"## {tag.replace('-', ' ').capitalize()}\n", *by_tag[tag]]
    return "\n".join(parts)


def _operation(address: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    needed = " and ".join(f"`{each}`" for each in operation["x-retinue-permission"])
    needs = f"Needs {needed}. " if needed else ""
    lines = [f"### {address}\n", f"{operation['summary']}.\n"]
    answers = ", ".join(f"`{status}`" for status in operation["responses"] if status < "300")
    told = _type(_content(operation["responses"][answers[1:4]]), schemas, "objects.md")
    lines.append(f"{needs}Answers {answers} with {told}; operation `{operation['operationId']}`.\n")
    rows = [
        f"| `{each['name']}` | {each['in']} | {_type(each['schema'], schemas)} | {_cell(_said(each))} |"
        for each in operation.get("parameters", ())
        if each["in"] in ("path", "query")
    ]
    name = _named(_content(operation.get("requestBody", {})))
    for field, schema in schemas.get(name, {}).get("properties", {}).items():
        must = " (required)" if field in schemas[name].get("required", ()) else ""
        rows.append(
            f"| `{field}`{must} | body | {_type(schema, schemas, 'objects.md')} | {_cell(_said(schema))} |"
        )
    if rows:
        lines += ["| field | in | type | meaning |", "|---|---|---|---|", *rows, ""]
    return "\n".join(lines)


def objects(document: dict[str, Any]) -> str:
    """Return the page of the objects that the operations answer, and of those inside bodies and answers."""
    schemas = document["components"]["schemas"]
    wanted = [_base(name) for name in _reached(document) if not _is_list(schemas[name])]
    parts = [OBJECTS_HEAD]
    for name in sorted(set(wanted), key=str.lower):
        schema = schemas.get(name) or schemas[name + _WITH_RECEIPT]
        rows = [
            f"| `{field}` | {_type(member, schemas, '')} | {_cell(_said(member))} |"
            for field, member in schema.get("properties", {}).items()
            if field != "receipt" or name in schemas
        ]
        parts.append(f"## {name}\n")
        if schema.get("description"):
            parts.append(f"{_cell(' '.join(schema['description'].replace('``', '`').split()))}\n")
        if "enum" in schema:
            parts.append(f"One of {_type(schema, schemas)}.\n")
        if rows:
            parts += ["| field | type | meaning |", "|---|---|---|", *rows, ""]
    return "\n".join(parts)


def allowed(document: dict[str, Any]) -> str:
    """Return the rows that say what each permission of Retinue itself allows: the operations that need it."""
    own: dict[str, list[str]] = {name: [ELSEWHERE[name]] if name in ELSEWHERE else [] for name in MANAGEMENT}
    also: dict[str, list[str]] = {}
    for methods in document["paths"].values():
        for operation in methods.values():
            needs = operation["x-retinue-permission"]
            for name in needs if isinstance(needs, list) else ():
                own[name].append(operation["summary"])
            for field, names in operation.get("x-retinue-permission-also", {}).items():
                for name in names:
                    also.setdefault(name, []).append(f"`{field}` of `{operation['operationId']}`")
    rows = [
        f"| `{name}` | {'<br>'.join(map(_cell, own[name]))} | {', '.join(also.get(name, ()))} |"
        for name in own
    ]
    return "\n".join(rows) + "\n"


def unsaid(document: dict[str, Any]) -> list[str]:
    """Return what of the HTTP API says nothing of itself: parameters, and fields of bodies and answers."""
    found = [
        f"{operation['operationId']} {each['name']}"
        for methods in document["paths"].values()
        for operation in methods.values()
        for each in operation.get("parameters", ())
        if not _said(each)
    ]
    return found + [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, member in schema.get("properties", {}).items()
        if not _said(member)
    ]


def _reached(document: dict[str, Any]) -> list[str]:
    """Return the names of what operations answer, and of all that is inside it or inside a body."""
    schemas = document["components"]["schemas"]
    found: list[str] = []
    for methods in document["paths"].values():
        for operation in methods.values():
            answer = _named(_content(next(iter(operation["responses"].values()))))
            body = _named(_content(operation.get("requestBody", {})))
            found += [answer, *_inside(schemas.get(answer, {})), *_inside(schemas.get(body, {}))]
    todo = [name for name in found if name in schemas]
    reached: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += _inside(schemas[name])
    return sorted(reached)


def _inside(schema: Any) -> list[str]:
    """Return the names of the objects that a schema refers to, at any depth."""
    if isinstance(schema, dict):
        own = [_named(schema)] if "$ref" in schema else []
        return own + [name for each in schema.values() for name in _inside(each)]
    if isinstance(schema, list):
        return [name for each in schema for name in _inside(each)]
    return []


def _named(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "").rpartition("/")[2])


def _base(name: str) -> str:
    return name.removesuffix(_WITH_RECEIPT)


def _is_list(schema: dict[str, Any]) -> bool:
    return set(schema.get("properties", ())) == _LIST


def _content(part: dict[str, Any]) -> dict[str, Any]:
    return cast(dict[str, Any], part.get("content", {}).get("application/json", {}).get("schema", {}))


def _said(schema: dict[str, Any]) -> str:
    return " ".join((schema.get("description") or "").split())


def _type(schema: dict[str, Any], schemas: dict[str, Any], page: str | None = None) -> str:
    """Return a type in words, with links to the objects on ``page``, if there is one."""
    if "$ref" in schema:
        name = _named(schema)
        if _is_list(schemas[name]):
            return f"a page of {_type(schemas[name]['properties']['items']['items'], schemas, page)}"
        return _base(name) if page is None else f"[{_base(name)}]({page}#{_base(name).lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(each, schemas, page) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}), schemas, page)}"
    if isinstance(schema.get("additionalProperties"), dict) and schema["additionalProperties"]:
        return f"object of {_type(schema['additionalProperties'], schemas, page)}"
    return str(schema.get("type", "any"))
