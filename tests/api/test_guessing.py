"""Guessing tokens: slow, cheap for us, and nobody else's loss."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from retinue.attempts import MOST_IN_A_ROW, MOST_OF_NETWORK
from retinue.pepper import Pepper
from retinue.token import Kind, Token, mint
from tests.api.world import STRANGER, Answer, World


def guess(world: World, token: Token, address: str = "192.0.2.7") -> Answer:
    """Present a token from an address."""
    return world.owner.call("GET", "/v1/me", headers=bearer(token), address=address)


def ask_feed(token: Token, address: str = "192.0.2.7") -> int:
    """Ask for a page of the snapshot, as a node does; return the status."""
    return STRANGER.call("GET", "/v1/feed/snapshot", headers=bearer(token), address=address).status


def bearer(token: Token) -> dict[str, str]:
    """The header with a token."""
    return {"authorization": f"Bearer {token.reveal()}"}


def test_network_that_guesses_is_refused_unheard(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    After 300 failures a network gets 429 with a pause: no statement is sent, no digest computed. The holder
    of a key is served from elsewhere all the while.
    """
    statuses = {guess(world, mint(Kind.API_KEY)).status for _ in range(MOST_OF_NETWORK)}
    digests: list[bytes] = []
    monkeypatch.setattr(Pepper, "digest", lambda self, text: digests.append(text))
    with CaptureQueriesContext(connection) as sent:
        answer = guess(world, mint(Kind.API_KEY), "192.0.2.200")
    monkeypatch.undo()
    assert world.owner.token is not None

    assert {401} == statuses
    assert (429, "rate_limited") == (answer.status, answer.code)
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert ([], 0) == (digests, len(sent))
    assert 200 == guess(world, world.owner.token, "198.51.100.7").status


def test_row_of_failures_for_one_key_is_refused_where_it_comes_from(world: World) -> None:
    """
    A hundred wrong secrets in a row for one key id pause that key id in that network; its holder elsewhere,
    and other keys here, do not notice. The credential stays as it is.
    """
    _, token = world.key(world.account())
    _, other = world.key(world.account("other"))
    wrong = mint(Kind.API_KEY, kid=token.kid)
    statuses = {guess(world, wrong).status for _ in range(MOST_IN_A_ROW)}

    assert {401} == statuses
    assert (429, "rate_limited") == ((refused := guess(world, token)).status, refused.code)
    assert (200, 200) == (guess(world, token, "198.51.100.7").status, guess(world, other).status)


def test_genuine_token_begins_the_row_anew(world: World) -> None:
    """
    A success between the failures, from the same network, lets its holder go on.
    """
    _, token = world.key(world.account())
    wrong = mint(Kind.API_KEY, kid=token.kid)
    for _ in range(MOST_IN_A_ROW - 1):
        guess(world, wrong)
    between = guess(world, token)
    guess(world, wrong)

    assert (200, 200) == (between.status, guess(world, token).status)


def test_node_is_heard_whoever_guesses_beside_it(world: World) -> None:
    """
    In a network over its limit the calls of a node go on: a revoke has to reach it. What is no node's token
    is refused there all the same, and so is a node's token anywhere else.
    """
    _, node = world.node()
    node_token = node.token
    assert node_token is not None
    assert world.owner.token is not None
    for _ in range(MOST_OF_NETWORK):
        guess(world, mint(Kind.NODE))

    assert 200 == ask_feed(node_token)
    assert 401 == ask_feed(mint(Kind.NODE))
    assert [429, 429] == [ask_feed(world.owner.token), guess(world, node_token).status]


def test_row_of_failures_refuses_a_node_too(world: World) -> None:
    """
    A hundred wrong secrets in a row for a node's own key id pause it where they come from, and there alone.
    """
    _, node = world.node()
    assert node.token is not None
    wrong = mint(Kind.NODE, kid=node.token.kid)
    statuses = {ask_feed(wrong) for _ in range(MOST_IN_A_ROW)}

    assert {401} == statuses
    assert (429, 200) == (ask_feed(node.token), ask_feed(node.token, "198.51.100.7"))


def test_denials_of_genuine_tokens_are_no_guesses(world: World) -> None:
    """
    A program that goes on with a key without permission hears so each time, and is not refused unheard.
    """
    caller = world.caller()
    statuses = {caller.get("/v1/users").status for _ in range(MOST_IN_A_ROW + 1)}

    assert {403} == statuses
