"""What is remembered of nodes that were admitted holds at the position of the last look, or is forgotten."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace

import pytest

from retinue.replica.records import Kind
from retinue.server.api.admitted import Admitted, Memory
from retinue.server.ledger import feed as ledger
from retinue.server.ledger.feed import Position
from retinue.server.ledger.transaction import SYSTEM, reading, transaction
from retinue.server.nodes import actions
from tests.storage.estate import Estate, Follower

_ADDRESS = "192.0.2.7"


def _admitted(follower: Follower) -> Admitted:
    node = follower.node
    records = frozenset({(Kind.NODE.value, node.credential_id)})
    return Admitted(node.id, node.name, False, records, "kid", 0, 0, False, None, ())


def _at() -> Position:
    with reading():
        return ledger.position()


def _look(memory: Memory) -> None:
    with reading():
        memory.check(ledger.position())


def _remove(follower: Follower) -> None:
    with transaction(SYSTEM) as tx:
        actions.remove(tx, follower.node)


@pytest.fixture
def follower(awake: str) -> Follower:
    """An enrolled node."""
    return Follower.create()


def test_it_is_remembered_until_its_own_records_change(estate: Estate, follower: Follower) -> None:
    """
    Changes of others end nothing; its removal does, with the next look.
    """
    memory, header = Memory(), secrets.token_hex(8)
    found = _admitted(follower)
    memory.add(header, _ADDRESS, found, _at())
    estate.account()
    _look(memory)
    kept = memory.get(header, _ADDRESS)
    _remove(follower)
    _look(memory)

    assert found is kept
    assert (None, False) == (memory.get(header, _ADDRESS), found.may_poll())
    assert None is memory.get(header, "192.0.2.8")


def test_changes_during_its_first_poll_do_not_keep_it_out(estate: Estate, follower: Follower) -> None:
    """
    The last look is newer than the read in which it was admitted: it is remembered, for only others changed.
    """
    memory, header, at = Memory(), secrets.token_hex(8), _at()
    memory.add("another", _ADDRESS, _admitted(Follower.create()), at)
    estate.account()
    _look(memory)
    found = _admitted(follower)
    memory.add(header, _ADDRESS, found, at)

    assert found is memory.get(header, _ADDRESS)


def test_what_ended_during_its_first_poll_is_not_remembered(follower: Follower) -> None:
    """
    It is removed between its read and the last look, or the epoch has begun since.
    """
    memory, at = Memory(), _at()
    memory.add("another", _ADDRESS, _admitted(Follower.create()), at)
    _remove(follower)
    _look(memory)
    memory.add("removed", _ADDRESS, _admitted(follower), at)
    other = _admitted(Follower.create())
    memory.add("epoch", _ADDRESS, other, Position(at.epoch - 1, at.revision, 0))

    assert [None] * 2 == [memory.get(each, _ADDRESS) for each in ("removed", "epoch")]


@pytest.mark.parametrize(
    "follow",
    [
        lambda at: replace(at, epoch=at.epoch + 1),
        lambda at: replace(at, revision=at.revision - 1),
        lambda at: replace(at, revision=at.revision + 2, compacted_revision=at.revision + 1),
    ],
)
def test_another_history_ends_all(follow: Callable[[Position], Position], follower: Follower) -> None:
    """
    A new epoch, a head that went back, or changes that are not known any more: nobody is remembered.
    """
    memory, at = Memory(), _at()
    memory.add("header", _ADDRESS, _admitted(follower), at)
    with reading():
        memory.check(follow(at))

    assert None is memory.get("header", _ADDRESS)
