"""Whoever guesses tokens through a node is refused unheard; whoever holds one is not locked out by it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from retinue.attempts import MOST_IN_A_ROW, MOST_OF_NETWORK
from retinue.token import Kind, mint
from tests.node.world import Node, build, running


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Node]:
    """A node that nobody has guessed at yet."""
    with running(build(tmp_path / "home")) as node:
        yield node


def _ask(node: Node, token: str, address: str | None = None) -> Any:
    """Return the decision about a client at ``address``."""
    question = {"token": token, "need": ["report:read"], **({"address": address} if address else {})}
    return node.get("/v1/verify", method="POST", body=json.dumps(question).encode()).json()


def test_a_network_that_guesses_is_refused_unheard(fresh: Node) -> None:
    """
    After 300 failures of a minute a /24 gets rate_limited, even for a genuine token; any other network
    goes on.
    """
    genuine = fresh.world.token("reader")
    reasons = {
        _ask(fresh, mint(Kind.API_KEY).reveal(), f"192.0.2.{number % 250}")["reason"]
        for number in range(MOST_OF_NETWORK)
    }

    assert {"token_unknown"} == reasons
    assert "rate_limited" == _ask(fresh, genuine, "192.0.2.251")["reason"]
    assert _ask(fresh, genuine, "198.51.100.7")["allowed"]
    assert _ask(fresh, genuine)["allowed"]


def test_a_gateway_hears_when_to_try_again(fresh: Node) -> None:
    """
    Forward-auth refuses a guessing client with 429 and Retry-After; the gateway's other clients go on.
    """
    for _ in range(MOST_OF_NETWORK):
        fresh.forward_auth("report:read", None, "X-Forwarded-For: 192.0.2.9", "Authorization: Bearer x")
    refused = fresh.forward_auth("report:read", "reader", "X-Forwarded-For: 192.0.2.9")
    other = fresh.forward_auth("report:read", "reader", "X-Forwarded-For: 203.0.113.9")

    assert (429, "rate_limited", 200) == (refused.status, refused.code, other.status)
    assert int(refused.fields["retry-after"]) >= 1


def test_a_gateway_that_does_not_say_for_whom_it_asks_is_not_shut_out(fresh: Node) -> None:
    """
    Without X-Forwarded-For the failures are nobody's: one stranger must not shut out all clients.
    """
    for _ in range(MOST_OF_NETWORK + 1):
        fresh.forward_auth("report:read", None, "Authorization: Bearer x")

    assert 200 == fresh.forward_auth("report:read", "reader").status


def test_a_row_of_failures_for_one_key_ends_with_its_holder(fresh: Node) -> None:
    """
    100 failures in a row for one key id refuse this key id from that network; the holder's own success in
    between begins the row anew.
    """
    genuine = fresh.world.token("reader")
    kid = fresh.world.tokens["reader"].kid
    wrong = mint(Kind.API_KEY, kid=kid).reveal()
    for _ in range(MOST_IN_A_ROW - 1):
        _ask(fresh, wrong, "192.0.2.9")

    assert _ask(fresh, genuine, "192.0.2.9")["allowed"]
    for _ in range(MOST_IN_A_ROW):
        assert "token_unknown" == _ask(fresh, wrong, "192.0.2.9")["reason"]
    assert "rate_limited" == _ask(fresh, genuine, "192.0.2.9")["reason"]
    assert _ask(fresh, genuine, "198.51.100.7")["allowed"]
