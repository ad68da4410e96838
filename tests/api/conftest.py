"""Fixtures of the API's tests: each runs on SQLite and on PostgreSQL, in an organization of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.server_support import django_setup
from tests.support.requirements import need

if TYPE_CHECKING:
    from tests.api.world import World

# Before any test module is imported: they import models.
django_setup.setup()


@pytest.fixture(scope="session", params=django_setup.kinds())
def server_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The kind of the database that Django uses; all tests of one kind run together."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('database') / 'retinue.db'}"
    else:
        need("postgres")
        url = request.getfixturevalue("postgres_server").create_database()
    with django_setup.database(url):
        yield request.param


@pytest.fixture
def world(server_database: str) -> World:
    """A new organization with its first owner, and the means to fill it."""
    from tests.api.world import World

    return World.create()


@pytest.fixture(scope="session")
def snapshots() -> Path:
    """The folder of stored documents; ``RETINUE_TEST_SNAPSHOT=write`` writes them anew."""
    return Path(__file__).parent / "snapshots"


@pytest.fixture(scope="session")
def writes_snapshots() -> bool:
    """Whether this run writes stored documents instead of comparing with them."""
    return os.environ.get("RETINUE_TEST_SNAPSHOT") == "write"
