"""Fixtures of the invariants: each test runs on SQLite and on PostgreSQL, in an organization of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.server_support import django_setup

if TYPE_CHECKING:
    from tests.api.world import World
    from tests.invariants.ground import Ground

# Before any test module is imported: they import models.
django_setup.setup()


@pytest.fixture(autouse=True)
def no_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test is limited by the failures of another."""
    from retinue.attempts import Attempts
    from retinue.server.api import guard

    monkeypatch.setattr(guard, "attempts", Attempts())


@pytest.fixture
def ground(server_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    """A new organization with its owner, and a node that follows when it is told to: no change waits for it."""
    from retinue.server.api import changes
    from retinue.server.nodes.models import Lease
    from tests.invariants.ground import Ground

    monkeypatch.setattr(changes, "BARRIER_SECONDS", 0.0)
    made = Ground.create()
    yield made
    # No later change waits for a node that nobody moves any more.
    Lease.objects.filter(node=made.follower.node).delete()


@pytest.fixture
def world(server_database: str) -> World:
    """A new organization with its owner, and no node that a change would wait for."""
    from tests.api.world import World

    return World.create()


@pytest.fixture(autouse=True)
def settled(request: pytest.FixtureRequest) -> Iterator[None]:
    """The epoch that a test began is opened after it: no other test waits for its nodes."""
    yield
    if "server_database" in request.fixturenames:
        from tests.api import epoch_cases

        epoch_cases.settle()
