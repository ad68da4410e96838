"""Guesses at ``Retinue-Caller`` are counted by the network they come from, and are nobody else's loss."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from retinue import pepper
from retinue.attempts import MOST_OF_NETWORK
from retinue.node.callers import Callers
from retinue.node.decisions import Decisions
from retinue.node.exchange import Request
from retinue.node.metrics import Metrics
from retinue.node.responses import Responses
from retinue.node.settings import from_environment
from retinue.replica.store import Store
from retinue.token import Kind, mint
from retinue.usage import Spool
from retinue.verifier import Verifier
from tests.node.world import World

Ask = Callable[[str, str], tuple[int, str]]


@pytest.fixture
def ask(world: World, tmp_path: Path) -> Iterator[Ask]:
    """Ask as a peer with a token, of a node that nobody has guessed at yet; returns status and code, or 200.

    In this process, since a test has no peer but the loopback. 203.0.113.0/24 are gateways.
    """
    settings = from_environment(
        {
            "RETINUE_HOME": str(world.home),
            "RETINUE_NODE_HOST": "192.0.2.1",
            "RETINUE_TRUSTED_PROXIES": "203.0.113.0/24",
        }
    )
    store, spool = Store(world.replica), Spool(tmp_path / "spool", "test")
    metrics, responses = Metrics(tmp_path / "metrics", "test"), Responses()
    verifier = Verifier(store, pepper.load(settings.pepper_file), brands=settings.brands)
    callers = Callers(Decisions(settings, verifier, spool, metrics, responses), responses, settings)

    def call(peer: str, token: str) -> tuple[int, str]:
        request = Request(peer)
        request.target, request.fields = b"/v1/verify", {b"retinue-caller": token.encode()}
        refused = callers.guard(request)
        if refused is None:
            return 200, ""
        head, _, body = refused.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)["code"]

    yield call
    metrics.close()
    spool.close()
    store.close()


def test_a_network_that_guesses_is_refused_unheard(ask: Ask, world: World) -> None:
    """
    After 300 wrong tokens of a minute a /24 gets 429, and no other network.
    """
    gateway = world.token("gateway")
    guesses = {
        ask(f"192.0.2.{number % 250}", mint(Kind.API_KEY).reveal()) for number in range(MOST_OF_NETWORK)
    }

    assert {(401, "caller_required")} == guesses
    assert (429, "rate_limited") == ask("192.0.2.251", gateway)
    assert (200, "") == ask("198.51.100.7", gateway)


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "203.0.113.9"])
def test_a_known_gateway_does_not_bear_what_is_done_beside_it(ask: Ask, world: World, peer: str) -> None:
    """
    On loopback, whatever the trusted proxies are, and in the networks of gateways, failures are nobody's.
    """
    assert {401} == {ask(peer, mint(Kind.API_KEY).reveal())[0] for _ in range(MOST_OF_NETWORK + 1)}
    assert (200, "") == ask(peer, world.token("gateway"))


def test_a_mistake_is_no_guess(ask: Ask, world: World) -> None:
    """
    No token and a genuine one without the permission are no guesses.
    """
    for _ in range(MOST_OF_NETWORK):
        ask("192.0.2.1", "")
        ask("192.0.2.1", world.token("reader"))

    assert (200, "") == ask("192.0.2.1", world.token("gateway"))
