"""What is not known, or was not given, is ``null`` in every answer; ``""`` is a text that somebody left empty."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import msgspec

from retinue.server.traffic.actions import ingest
from tests.api.test_logs import decided
from tests.api.world import JSON, World

#: Texts that people write; they may be empty.
WRITTEN = {"description", "purpose", "documentation", "environment", "justification"}


def empty(value: Any, name: str = "") -> Iterator[str]:
    """Give the names of the fields that hold an empty text."""
    if value == "":
        yield name
    members = (
        value.items()
        if isinstance(value, dict)
        else [(name, each) for each in value]
        if isinstance(value, list)
        else []
    )
    for key, each in members:
        yield from empty(each, key)


def filled(world: World) -> dict[str, JSON]:
    """One thing of every kind, with as little known of it as can be, and how each list answers it."""
    account = world.account()
    key, _ = world.key(account)
    entry = decided(world, account.id)
    bare = dict.fromkeys(("permission", "method", "path", "address", "client", "request_id"))
    ingest("local", secrets.token_hex(8), 0, [msgspec.structs.replace(entry, credential_id="", **bare)])
    world.owner.post(f"/v1/service-accounts/{account.id}/grants", {"permission": "report:read"})
    world.owner.post(f"/v1/keys/{key.id}/rotate", {"overlap": "0s"})
    world.node()
    nouns = ("service-accounts", "keys", "users", "requests", "audit-events", "nodes", "me/tokens")
    paths = [*nouns, *(f"service-accounts/{account.id}/{noun}" for noun in ("grants", "permissions"))]
    return {path: world.owner.get(f"/v1/{path}").json for path in paths}


def test_unknown_is_null(server_database: str) -> None:
    """
    No list answers an empty text but for what people write; nothing is lost by it.
    """
    answers = filled(World.create(operator=True))
    (request,) = answers["requests"]["items"]
    system = [each for each in answers["audit-events"]["items"] if each["actor"]["kind"] == "system"]

    assert {} == {path: found for path, each in answers.items() if (found := set(empty(each)) - WRITTEN)}
    assert all(each["items"] for each in answers.values())
    assert {None} == {
        request[name]
        for name in (
            "credential_id",
            "reason",
            "permission",
            "method",
            "path",
            "address",
            "client",
            "request_id",
        )
    }
    assert {None} == {each[name] for each in system for name in ("credential_id", "request_id", "address")}
