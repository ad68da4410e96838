"""Fixtures of the state machine: the control plane in process on both databases, or everything as processes."""

from __future__ import annotations

import pytest

from tests.server_support import django_setup

# Before any test module is imported: they import models.
django_setup.setup()


@pytest.fixture(autouse=True)
def no_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is paused for guessing: tokens that have ended are asked about all the time."""
    from retinue.attempts import Attempts
    from retinue.server.api import changes, guard

    monkeypatch.setattr(guard, "attempts", Attempts())
    monkeypatch.setattr(changes, "BARRIER_SECONDS", 0.0)
