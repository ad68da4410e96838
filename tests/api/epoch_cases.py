"""Epochs, for the tests that go through all operations. What they begin is ended after each test."""

from __future__ import annotations

from typing import Any

from retinue.server.ledger import feed as ledger
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.nodes import epochs, recovery
from retinue.server.nodes.history import Doubt
from retinue.server.nodes.models import Epoch, Journal
from tests.api.world import World
from tests.storage.estate import Follower


def settle() -> None:
    """Open the epoch if it recovers: nothing is waited for."""
    head = ledger.position()
    while head.is_recovering:
        Journal.objects.filter(state="awaited").update(state="skipped")
        with transaction(SYSTEM, reason="test") as tx:
            Epoch.objects.filter(epoch=head.epoch).update(began_ns=-(10**15))
            tx.record("epoch.node_skipped", str(head.epoch), name="test", organization="")
        recovery.step()
        head = ledger.position()


def begin() -> Follower:
    """Begin an epoch in which a node is waited for; return its follower."""
    follower = Follower.create()
    follower.catch_up()
    follower.poll()
    epochs.begin(SYSTEM, Doubt("declared", ledger.position().epoch))
    return follower


def beginning(_: World) -> tuple[str, str, Any]:
    """Say that the database was restored."""
    return "POST", "/v1/epochs", {}


def skipping(_: World) -> tuple[str, str, Any]:
    """Wait no longer for a node."""
    return "POST", "/v1/epochs/current/skip", {"nodes": [begin().node.name]}


def _begun(world: World) -> tuple[Any, ...]:
    number = ledger.position().epoch + 1
    return "/v1/epochs", [("epoch.raised", f"epoch {number}")], {}, world.operator()


def _skipped(world: World) -> tuple[Any, ...]:
    caller = world.operator()
    _, path, body = skipping(world)
    return path, [("epoch.node_skipped", body["nodes"][0])], body, caller


#: What the audit log must say of each; see ``organization_cases``.
CASES = {"begin_epoch": _begun, "skip_journals": _skipped}
