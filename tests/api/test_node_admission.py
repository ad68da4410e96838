"""A node's decision is remembered while no record of it changes: what ends it is seen by the very next call."""

from __future__ import annotations

import pytest

from retinue.decision import Decision
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.nodes import actions
from retinue.server.nodes.models import Node
from retinue.verifier import Question, Verifier
from tests.api.world import Answer, Caller, World


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths about which the verifier was asked."""
    found: list[str] = []
    verify = Verifier.verify

    def counting(self: Verifier, question: Question) -> Decision:
        found.append(question.path or "")
        return verify(self, question)

    monkeypatch.setattr(Verifier, "verify", counting)
    return found


def _polled(caller: Caller) -> Answer:
    body = {"node": "", "incarnation": "0" * 32, "applied": {"epoch": 0, "revision": 0}, "wait": 0}
    return caller.post("/v1/feed/poll", body)


def _remembered(asked: list[str], caller: Caller) -> None:
    """Poll until the decision is remembered, whatever else has changed meanwhile."""
    assert 200 == _polled(caller).status
    asked.clear()
    assert 200 == _polled(caller).status
    assert [] == asked


def test_what_is_remembered_outlives_changes_of_others(world: World, asked: list[str]) -> None:
    """
    Other accounts and keys come and go: the node is not decided about anew.
    """
    _, node = world.node()
    _remembered(asked, node)
    world.key(world.account())

    assert 200 == _polled(node).status
    assert [] == asked


def _remove(ident: str, *, fails: bool = False) -> None:
    with transaction(SYSTEM) as tx:
        actions.remove(tx, Node.objects.get(id=ident))
        if fails:
            raise RuntimeError


def test_a_removed_node_is_refused_at_once(world: World, asked: list[str]) -> None:
    """
    The very next poll is refused, and every one after it.
    """
    ident, node = world.node()
    _remembered(asked, node)
    _remove(ident)

    assert [(410, "node_removed")] * 2 == [
        (each.status, each.code) for each in (_polled(node), _polled(node))
    ]


def test_a_removal_that_was_not_committed_changes_nothing(world: World, asked: list[str]) -> None:
    """
    What is undone is not remembered.
    """
    ident, node = world.node()
    _remembered(asked, node)
    with pytest.raises(RuntimeError):
        _remove(ident, fails=True)

    assert 200 == _polled(node).status


def test_another_address_or_secret_is_decided_anew(world: World, asked: list[str]) -> None:
    """
    What was decided holds for the token and the call as they were presented, and for no others.
    """
    _, node = world.node()
    _remembered(asked, node)
    assert node.token is not None
    secret = node.token.reveal()
    headers = [f"Bearer {secret[:-1]}{'A' if secret[-1] != 'A' else 'B'}", f"Basic {secret}"]
    stranger = Caller(None)
    answers = [
        stranger.call("POST", "/v1/feed/poll", {}, headers={"Authorization": each}) for each in headers
    ]

    assert [401, 401] == [each.status for each in answers]
    assert 2 == len(asked)
