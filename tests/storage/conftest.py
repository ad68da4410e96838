"""Fixtures of the storage tests: the real database of either kind, real commits, no clearing between tests.

Every test runs on SQLite and on PostgreSQL; ``RETINUE_TEST_DATABASE=sqlite`` (or ``postgresql``) runs one
kind alone. Each test makes its own organization, accounts and nodes. Other tests' revisions go on around
it, so a test compares revisions with those that it saw, never with fixed numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.server_support import django_setup

if TYPE_CHECKING:
    from tests.storage.estate import Estate

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
