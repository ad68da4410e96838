"""``Retinue-Caller``: who may ask a node that listens to more than its own machine."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from retinue.token import Kind, mint
from tests.node.wire import Reply, Wire, request
from tests.node.world import Node, World, running


@pytest.fixture(scope="module")
def open_node(world: World) -> Iterator[Node]:
    """A worker bound to all addresses; the tests reach it over the loopback."""
    with running(world, index=3, RETINUE_NODE_HOST="0.0.0.0") as started:  # noqa: S104
        yield started


def _verify(node: Node, *fields: str) -> Reply:
    body = json.dumps({"token": node.world.token("reader"), "need": ["report:read"]}).encode()
    return node.get("/v1/verify", *fields, method="POST", body=body)


def _caller(node: Node, name: str) -> str:
    return f"Retinue-Caller: {node.world.token(name)}"


def test_a_caller_with_the_permission_is_answered(open_node: Node) -> None:
    """
    A service account with decision:ask gets decisions, on both ways.
    """
    caller = _caller(open_node, "gateway")

    assert _verify(open_node, caller).json()["allowed"]
    assert 200 == open_node.forward_auth("report:read", "reader", caller).status
    assert 403 == open_node.forward_auth("report:read", "powerless", caller).status


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        (None, 401, "caller_required"),
        ("revoked", 401, "caller_required"),
        ("reader", 403, "caller_forbidden"),
        ("ingest", 403, "caller_forbidden"),
    ],
)
def test_others_are_refused(open_node: Node, name: str | None, status: int, code: str) -> None:
    """
    Without a token, with a dead one, or without the permission, nothing is decided.
    """
    fields = () if name is None else (_caller(open_node, name),)
    asked = _verify(open_node, *fields)
    forwarded = open_node.forward_auth("report:read", "reader", *fields)

    assert (status, code) == (asked.status, asked.code)
    # To the client of a gateway, whose token was not looked at, it is no answer.
    assert (503, code) == (forwarded.status, forwarded.code)
    assert ("", code) == (forwarded.fields["retinue-identity"], forwarded.fields["retinue-error"])
    assert "allowed" not in asked.json()
    assert (status == 401) == ("www-authenticate" in asked.fields)


def test_two_callers_are_none(open_node: Node) -> None:
    """
    Two tokens in the field are not "the first one".
    """
    caller = _caller(open_node, "gateway")

    assert (401, "caller_required") == (
        _verify(open_node, caller, caller).status,
        _verify(open_node, caller, f"Retinue-Caller: {mint(Kind.API_KEY).reveal()}").code,
    )


def test_the_authorization_of_the_client_is_no_caller(open_node: Node) -> None:
    """
    The token about which is asked does not let anybody ask.
    """
    token = open_node.world.token("gateway")

    assert 503 == open_node.get("/v1/forward-auth/report:read", f"Authorization: Bearer {token}").status


def test_a_stranger_is_refused_before_the_body(open_node: Node) -> None:
    """
    The refusal comes from the header alone: no body of a stranger is waited for.
    """
    with Wire(open_node.port) as wire:
        wire.send(request("/v1/verify", "Content-Length: 60000", method="POST"))
        reply = wire.reply()

    assert (401, "close") == (reply.status, reply.fields["connection"])


def test_what_tells_nothing_is_open(open_node: Node) -> None:
    """
    Health, readiness and public keys need no caller.
    """
    assert [200] * 3 == [open_node.get(t).status for t in ("/healthz", "/readyz", "/v1/identity-keys")]


def test_it_can_be_switched_off(world: World) -> None:
    """
    RETINUE_OPEN_DECISIONS=1 answers everybody; the loopback does so by default (all other tests).
    """
    host = "0.0.0.0"  # noqa: S104
    with running(world, index=4, RETINUE_NODE_HOST=host, RETINUE_OPEN_DECISIONS="1") as node:
        assert _verify(node).json()["allowed"]
