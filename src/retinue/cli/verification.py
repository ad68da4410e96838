"""``retinue verify``: ask a node about a token. Without the command framework, because scripts call it often.

:func:`quick` understands the plain invocations; for everything else (help, other forms, mistakes) it steps
back and :mod:`retinue.cli.verify` reads the arguments. Both end in :func:`ask`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retinue.cli import settings
from retinue.cli.exits import CommandError, Exit
from retinue.client.errors import UnreadableAnswer

_VALUES = {
    "--file": "file",
    "--need": "need",
    "--organization": "organization",
    "--address": "address",
    "--method": "method",
    "--path": "path",
    "-o": "output",
    "--output": "output",
}


@dataclass(frozen=True)
class Question:
    """What to ask the node, apart from the token itself."""

    need: tuple[str, ...] = ()
    organization: str | None = None
    address: str | None = None
    method: str | None = None
    path: str | None = None


def quick(arguments: list[str]) -> int | None:
    """Run ``verify`` with the arguments behind it and return the exit code; ``None`` if they need a reader.

    Raises what :func:`ask` raises.
    """
    given = _read(arguments)
    if given is None:
        return None
    stdin, offline = (bool(given.pop(flag, None)) for flag in ("-", "--offline"))
    files = given.pop("file", [])
    forms = given.pop("output", [])
    form = forms[-1] if forms else None
    if form not in (None, "json", "jsonl") or len(files) + stdin != 1:
        return None
    if form is None:
        preset = settings.output()
        if preset is not None and preset.value not in ("table", "tsv", "json", "jsonl"):
            return None
        form = None if preset is None else preset.value
    need = tuple(given.pop("need", []))
    question = Question(need, **{name: values[-1] for name, values in given.items()})
    answer = decision(token_from(stdin, files[0] if files else None), question, offline=offline)
    show(answer, form)
    return exit_code(answer)


def _read(arguments: list[str]) -> dict[str, list[str]] | None:
    given: dict[str, list[str]] = {}
    rest = list(arguments)
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        if flag in ("-", "--offline") and not equals:
            given[flag] = [""]
            continue
        name = _VALUES.get(flag)
        if name is None or (not equals and not rest):
            return None
        if not equals:
            value = rest.pop(0)
        if value.startswith("-"):
            return None
        given.setdefault(name, []).append(value)
    return given


def token_from(stdin: bool, file: str | None) -> str:
    """Return the token to ask about, from standard input or from a file."""
    if stdin == (file is not None):
        raise CommandError(
            "where is the token?", "give --file FILE, or - to read it from standard input", Exit.USAGE
        )
    if file is not None:
        return settings.read_token(Path(file), "--file")
    return settings.single_token(sys.stdin.buffer.read(8192), "standard input")


def decision(token: str, question: Question, *, offline: bool) -> dict[str, Any]:
    """Return the decision of a node, or ``offline`` of the replica of this host."""
    if not offline:
        return ask(token, question)
    from retinue.cli import offline as local

    return local.ask(token, question)


def ask(token: str, question: Question) -> dict[str, Any]:
    """Return the node's decision, as it answered it.

    Raises ``Problem`` (such as for an unknown permission), ``Unreachable`` and ``UnreadableAnswer``.
    """
    from retinue.client.transport import Transport  # which loads TLS: nothing for --offline

    body: dict[str, Any] = {"token": token}
    if question.need:
        body["need"] = list(question.need)
    for name in ("organization", "address", "method", "path"):
        if getattr(question, name) is not None:
            body[name] = getattr(question, name)
    url = settings.node_url()
    transport = Transport(url, _caller(url), settings.timeout(), settings.ca_file())
    try:
        answer = transport.send("POST", "/v1/verify", body=body)
    finally:
        transport.close()
    try:
        told = json.loads(answer.body)
    except ValueError:
        told = None
    if not isinstance(told, dict) or not isinstance(told.get("allowed"), bool):
        raise UnreadableAnswer(f"{url} is no node: its answer holds no decision")
    return told


def _caller(url: str) -> dict[str, str]:
    """A node on another host wants to know who asks; one on this host does not, and gets no token."""
    host = url.partition("://")[2].partition("/")[0].rpartition(":")[0].strip("[]")
    if host == "localhost" or host == "::1" or host.startswith("127."):
        return {}
    token = settings.own_token()
    return {"Retinue-Caller": token} if token else {}


def show(answer: dict[str, Any], form: str | None) -> None:
    """Print a decision: as JSON, or as lines of a name and a value."""
    if form == "json":
        print(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    if form == "jsonl":
        print(json.dumps(answer, ensure_ascii=False, separators=(",", ":")))
        return
    aligned = form == "table" or (form is None and sys.stdout.isatty())
    for name, value in facts(answer):
        print(f"{name:<13} {value}" if aligned else f"{name}\t{value}")


def facts(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Return a decision as names and values for people; what has no value is left out."""
    account = answer.get("account") or {}
    lines: list[tuple[str, Any]] = [
        ("decision", "allowed" if answer["allowed"] else "denied"),
        ("reason", answer.get("reason")),
        ("account", account.get("name")),
        ("account_id", account.get("id")),
        ("organization", answer.get("organization")),
        ("credential_id", answer.get("credential_id")),
        ("permission", answer.get("permission")),
        ("expires_at", answer.get("expires_at")),
        ("rotate_by", answer.get("rotate_by")),
        ("warnings", ", ".join(map(str, answer.get("warnings") or ()))),
    ]
    return [(name, _clean(str(value))) for name, value in lines if value not in (None, "")]


def _clean(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else "�" for c in text)


def exit_code(answer: dict[str, Any]) -> int:
    """Return 0 for an allowed token and 7 for a denied one."""
    return Exit.DONE if answer["allowed"] else Exit.NEGATIVE
