"""The OpenAPI document: equal to the table, and changed only on purpose."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from retinue.server.api import (
    document,
    guard,
    routes,  # noqa: F401  (imports every noun: the table is complete, whichever test runs first)
    words,
)
from retinue.server.api.operations import OPERATIONS, Access
from retinue.token import Kind, mint
from tests.api.world import STRANGER, Caller, World


def test_document_is_the_table() -> None:
    """
    Each operation of the table is described once, with its permission, and nothing else is.
    """
    described = {
        (method.upper(), path, tuple(each["x-retinue-permission"]))
        for path, methods in document.build(OPERATIONS)["paths"].items()
        for method, each in methods.items()
    }

    assert {
        (
            each.method,
            f"/v1{each.path}",
            tuple(each.needs.value if isinstance(each.needs, Access) else each.needs),
        )
        for each in OPERATIONS
    } == described


def test_document_is_reviewed(snapshots: Path, writes_snapshots: bool) -> None:
    """
    A change of the document is seen in review: it equals the stored one.
    """
    path = snapshots / "openapi.json"
    made = json.dumps(document.build(OPERATIONS), indent=1, sort_keys=True) + "\n"
    if writes_snapshots:
        path.parent.mkdir(exist_ok=True)
        path.write_text(made)

    assert json.loads(path.read_text()) == json.loads(made)


def test_no_word_is_idle() -> None:
    """
    Each meaning that is kept for fields is that of a field which says nothing of itself.
    """
    made = document.build(OPERATIONS)
    used = {
        (schema.removesuffix("AndReceipt"), field, member.get("description"))
        for schema, each in made["components"]["schemas"].items()
        for field, member in each.get("properties", {}).items()
    } | {
        (words.PARAMETER, each["name"], each["description"])
        for methods in made["paths"].values()
        for operation in methods.values()
        for each in operation["parameters"]
    }
    anywhere = {("", field, said) for _, field, said in used}

    assert [] == [
        f"{owner}.{field}"
        for owner, meanings in words.read().items()
        for field, said in meanings.items()
        if (owner, field, said) not in used | anywhere
    ]


def test_document_is_public(world: World) -> None:
    """
    Anybody may read the document and the identity keys.
    """
    answers = [STRANGER.get("/v1/openapi.json"), STRANGER.get("/v1/identity-keys")]

    assert [200, 200] == [each.status for each in answers]
    assert "3.1.0" == answers[0].json["openapi"]
    assert isinstance(answers[1].json["keys"], list)


def test_a_pause_is_documented_where_a_token_is_needed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Every operation that needs a token, those of nodes too, can answer 429 to a network that guesses, says when to
    come again, and is described so.
    """
    monkeypatch.setattr(guard.attempts, "pause", lambda *_: 7)
    paths = document.build(OPERATIONS)["paths"]
    given, described = {}, {}
    for each in OPERATIONS:
        path = re.sub(r"{\w+}", "x", f"/v1{each.path}")
        answer = Caller(mint(Kind.API_KEY)).call(each.method, path, address="192.0.2.1")
        given[each.name] = answer.headers["retry-after"] if answer.status == 429 else None
        told = paths[f"/v1{each.path}"][each.method.lower()]["responses"].get("429")
        described[each.name] = None if told is None else "Retry-After" in told["headers"]

    guarded = {each.name for each in OPERATIONS if each.needs is not Access.PUBLIC}
    assert {name: "7" if name in guarded else None for name in given} == given
    assert {name: True if name in guarded else None for name in given} == described
