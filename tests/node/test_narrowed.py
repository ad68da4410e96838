"""Over HTTP: where restrictions and networks get their facts from."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.node.schemes_world import add, answer, fields
from tests.node.world import Node, World, build, running


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The usual replica, with organizations of other schemes."""
    built = build(tmp_path_factory.mktemp("schemes") / "home")
    add(built)
    return built


@pytest.fixture(scope="module")
def node(world: World) -> Iterator[Node]:
    """A worker over ``world``."""
    with running(world) as started:
        yield started


@pytest.mark.parametrize(
    ("expected", "address", "method", "path"),
    [
        ((200, ""), "192.0.2.9", "GET", "/v1/reports"),
        ((404, "network_not_allowed"), "198.51.100.9", "GET", "/v1/reports"),
        ((404, "endpoint_not_allowed"), "192.0.2.9", "GET", "/v2/reports"),
        ((404, "method_not_allowed"), "192.0.2.9", "POST", "/v1/reports"),
        ((404, "endpoint_not_allowed"), "192.0.2.9", "GET", "/v1/reports;x=1"),
        ((404, "endpoint_not_allowed"), "192.0.2.9", "GET", "/v1/..;/admin"),
        ((400, "path_refused"), "192.0.2.9", "GET", "/v1/../admin"),
        ((400, "path_refused"), "192.0.2.9", "GET", "/v1/%2e%2e/admin"),
        ((404, "endpoint_not_allowed"), "192.0.2.9", "GET", "/%76%32/x"),
        ((200, ""), "192.0.2.9", "GET", "/%76%31/x?y=/../z"),
    ],
)
def test_restrictions_use_what_the_gateway_says(
    node: Node, expected: tuple[int, str], address: str, method: str, path: str
) -> None:
    """
    Address, method and path of the request behind this one, in whatever spelling.
    """
    said = (f"X-Forwarded-For: {address}", f"X-Forwarded-Method: {method}", f"X-Forwarded-Uri: {path}")
    reply = node.get("/v1/forward-auth/report:read", *fields(node.world, "apikey", "narrow"), *said)

    assert expected == answer(reply)


def test_facts_that_nobody_states_fulfil_nothing(node: Node) -> None:
    """
    A gateway that says neither method nor path cannot use a credential that is bound to them.
    """
    target, token = "/v1/forward-auth/report:read", fields(node.world, "apikey", "narrow")

    assert (404, "network_not_allowed") == answer(node.get(target, *token))
    assert (404, "endpoint_not_allowed") == answer(node.get(target, *token, "X-Forwarded-For: 192.0.2.9"))


def test_the_network_of_the_organization_comes_first(node: Node) -> None:
    """
    A denied network is refused whoever asks.
    """
    said = ("X-Forwarded-For: 203.0.113.5",)

    assert (403, "network_not_allowed") == answer(
        node.get("/v1/forward-auth/report:read", *fields(node.world, "bearer", "token"), *said)
    )


def verify(node: Node, **asked: object) -> object:
    """Ask ``POST /v1/verify``; return the reason or the problem's code."""
    reply = node.get(
        "/v1/verify", "Content-Type: application/json", method="POST", body=json.dumps(asked).encode()
    )
    return reply.json().get("reason") if reply.status == 200 else reply.code


def test_a_question_may_say_how_the_token_was_presented(node: Node) -> None:
    """
    Then the schemes of the organization hold; without it the asker answers for that.
    """
    token = node.world.token("pair")

    assert [None, None, None, "scheme_not_accepted"] == [
        verify(node, token=token, **more)
        for more in ({}, {"scheme": "apikey"}, {"scheme": "header:X-Api-Key"}, {"scheme": "bearer"})
    ]
    assert "invalid_value" == verify(node, token=token, scheme="cookie")
    assert None is verify(node, token=token, scheme=None)


def test_a_question_about_a_narrowed_key_states_the_facts(node: Node) -> None:
    """
    Each fact that is missing is refused for its own reason.
    """
    token = node.world.token("narrow")
    facts = {"address": "192.0.2.1", "path": "/v1/x", "method": "GET"}

    assert None is verify(node, token=token, **facts)
    assert ["network_not_allowed", "endpoint_not_allowed", "method_not_allowed"] == [
        verify(node, token=token, **{name: value for name, value in facts.items() if name != left})
        for left in facts
    ]
