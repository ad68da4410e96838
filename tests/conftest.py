"""Fixtures for every suite. No framework is set up here: suites that need Django do that themselves."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.server_support.django_setup import kinds
from tests.support.requirements import need

if TYPE_CHECKING:
    from tests.support.installation import Installation
    from tests.support.postgres import PostgresServer

# What was compiled is kept, whatever the machine says: a suite compiles a thousand files before its first test,
# and each process of the product that it starts would compile its own again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

pytest_plugins = ["tests.server_support.fixtures"]

# What is drawn is the same in every run, and nothing of it is about how fast the machine is: a test fails because of a
# change, and never by chance or because others work beside it. `make fuzz` draws anew, each time something else.
_ANY_SPEED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", _ANY_SPEED, derandomize=True, database=None)
settings.register_profile("anew", _ANY_SPEED, derandomize=False, print_blob=True)
settings.load_profile(os.environ.get("RETINUE_TEST_DRAWS", "same"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run leave out what a run on the other kind of database does already."""
    parser.addoption(
        "--only-on-database", action="store_true", help="only tests that a database is chosen for"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, if that is asked for, what does not depend on the kind of database."""
    if not config.getoption("only_on_database"):
        return
    chosen = {"server_database", "database_url"}
    apart = [each for each in items if chosen.isdisjoint(getattr(each, "fixturenames", ()))]
    config.hook.pytest_deselected(items=apart)
    items[:] = [each for each in items if each not in set(apart)]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or fail, a test whose components this machine lacks, before any fixture is made."""
    for marker in item.iter_markers("requires"):
        for component in marker.args:
            need(component)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server for the whole run, with fsync on."""
    need("postgres")
    from tests.support.postgres import PostgresServer

    with PostgresServer.start(in_memory=True) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a fresh PostgreSQL database."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(params=kinds())
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a fresh database; a test that asks for it runs once on each kind of database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'retinue.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A running installation on SQLite, shared by the tests of one module."""
    from tests.support.installation import start_retinue

    with start_retinue(tmp_path_factory.mktemp("installation") / "home") as running:
        yield running
