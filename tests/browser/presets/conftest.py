"""An organization with the preset that the file of the test is named after, and a person of it in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import enter
from tests.browser.visitor import Visitor
from tests.conformance.server import Organization, Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def organization(server: Server, request: pytest.FixtureRequest) -> Organization:
    """An organization of this file, with its preset."""
    preset = request.path.stem.removeprefix("test_")
    return server.organization(preset, by_person=preset == "wavefront")


@pytest.fixture(scope="module")
def window(chromium: Browser, organization: Organization) -> Iterator[Visitor]:
    """The window of somebody who was invited with the role that may do most; one for all tests of the file."""
    server = organization.server
    with Visitor.open(chromium, server.running, None, handle=organization.handle) as found:
        enter(found, organization)
        yield found


@pytest.fixture
def person(window: Visitor) -> Iterator[Visitor]:
    """The person. Nothing may go wrong in their window during a test."""
    yield window
    window.is_well()
