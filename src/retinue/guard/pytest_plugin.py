"""Fixtures for the tests of a host application; pytest finds them when ``retinue`` is installed.

The application takes its guard from the fixture ``retinue_guard``; ``retinue_token`` makes header fields.
"""

from __future__ import annotations

import pytest

from retinue.guard.testing import FakeGuard, Tokens


@pytest.fixture
def retinue_guard() -> FakeGuard:
    """A guard that decides in memory."""
    return FakeGuard()


@pytest.fixture
def retinue_token(retinue_guard: FakeGuard) -> Tokens:
    """Makes header fields with tokens that ``retinue_guard`` knows."""
    return Tokens(retinue_guard)
