"""Fixtures of the authorization matrix: two organizations on each kind of database, made once for all operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server_support import django_setup

if TYPE_CHECKING:
    from tests.authorization.people import Cast

# Before any test module is imported: they import models.
django_setup.setup()


@pytest.fixture(autouse=True)
def no_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test is limited by the failures of another."""
    from retinue.attempts import Attempts
    from retinue.server.api import guard

    monkeypatch.setattr(guard, "attempts", Attempts())


@pytest.fixture(scope="session")
def cast(server_database: str) -> Cast:
    """Everybody who calls, and an organization that is not theirs."""
    from tests.authorization.people import Cast

    return Cast.create()
