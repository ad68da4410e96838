"""An organization as Qualytics's users know it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conformance.server import Organization, Server


@pytest.fixture
def organization(server: Server) -> Organization:
    """A new organization with the preset ``qualytics``."""
    return server.organization("qualytics")
