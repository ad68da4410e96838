"""Fixtures of the storage tests: the real database of either kind, real commits, no clearing between tests.

Every test runs on SQLite and on PostgreSQL; ``RETINUE_TEST_DATABASE=sqlite`` (or ``postgresql``) runs one
kind alone. Each test makes its own organization, accounts and nodes. Other tests' revisions go on around
it, so a test compares revisions with those that it saw, never with fixed numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.server_support import django_setup

if TYPE_CHECKING:
    from tests.storage.estate import Estate
    from tests.storage.past import Past
    from tests.storage.together import Together

# Before any test module is imported: they import models.
django_setup.setup()


@pytest.fixture
def awake(server_database: str) -> Iterator[str]:
    """The kind of database, with commits waking held polls as in a serving process."""
    from django.db import connection

    from retinue.server.nodes import wake

    wake.start(max_held=64)
    listener = wake.listener()
    assert listener is None or listener.is_listening.wait(10)
    yield connection.vendor
    wake.close()


@pytest.fixture
def estate(awake: str) -> Estate:
    """A new organization with the means to fill it."""
    from tests.storage.estate import Estate

    return Estate.create()


@pytest.fixture
def together(awake: str) -> Iterator[Together]:
    """Rounds that go on until the test ends."""
    from tests.storage.together import Together

    made = Together()
    made.rounds.start()
    yield made
    made.rounds.stop()


@pytest.fixture(scope="module", params=django_setup.kinds())
def past_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    """A database with a way back, migrated once."""
    from tests.storage import past

    with ExitStack() as stack:
        if request.param == "sqlite":
            made = stack.enter_context(past.sqlite(tmp_path_factory.mktemp("past")))
        else:
            made = stack.enter_context(past.postgresql(request.getfixturevalue("postgres_server")))
        made.backup("new")
        yield made


@pytest.fixture
def history(past_database: Past, monkeypatch: pytest.MonkeyPatch) -> Past:
    """The database, as new. Leases of the history before have ended, unless a test says otherwise."""
    from retinue.server.ledger import lineage
    from retinue.server.nodes import epochs, receipts

    monkeypatch.setattr(epochs, "_lease_ends_ns", lambda epoch: 0)
    monkeypatch.setattr(receipts, "_quiet_until_ns", lambda: 0)
    monkeypatch.setattr(lineage, "has_moved", lambda: False)
    past_database.restore("new")
    return past_database
