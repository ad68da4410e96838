"""Fixtures of the API's tests: each runs on SQLite and on PostgreSQL, in an organization of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.server_support import django_setup

if TYPE_CHECKING:
    from tests.api.messages import Outside
    from tests.api.world import World

# Before any test module is imported: they import models.
django_setup.setup()


@pytest.fixture(autouse=True)
def no_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test is limited by the failures of another."""
    from retinue.attempts import Attempts
    from retinue.server.api import guard

    monkeypatch.setattr(guard, "attempts", Attempts())


@pytest.fixture
def world(server_database: str) -> Iterator[World]:
    """A new organization with its first owner, and the means to fill it. Doubts of a test end with it."""
    from tests.api import epoch_cases
    from tests.api.world import World

    yield World.create()
    epoch_cases.settle()


@pytest.fixture
def outside(server_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    """A web server and a mail server on loopback, and the keeper that tells them, run by hand."""
    from tests.api import messages

    with messages.reached(monkeypatch) as outside:
        yield outside


@pytest.fixture(scope="session")
def snapshots() -> Path:
    """The folder of stored documents; ``RETINUE_TEST_SNAPSHOT=write`` writes them anew."""
    return Path(__file__).parent / "snapshots"


@pytest.fixture(scope="session")
def writes_snapshots() -> bool:
    """Whether this run writes stored documents instead of comparing with them."""
    return os.environ.get("RETINUE_TEST_SNAPSHOT") == "write"
