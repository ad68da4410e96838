"""An organization with the preset that the file of the test is named after, and a person of it in a browser."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

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
    roles = organization.admin.get("/v1/roles", limit=100)["items"]
    most = max(roles, key=lambda role: len(role["permissions"]))
    email = f"vera-{secrets.token_hex(4)}@{organization.handle}.example"
    invited = organization.admin.post(
        "/v1/invitations", email=email, name="Vera Visitor", roles=[most["handle"]], justification="needed"
    )
    handle, password = organization.handle, secrets.token_urlsafe(24)
    with Visitor.open(chromium, organization.server.running, None, handle=handle) as found:
        page = found.page
        page.goto("/invitation/")
        page.fill("[name=code]", invited["token"])
        page.fill("[name=password]", password)
        page.fill("[name=again]", password)
        page.get_by_role("button", name="Choose the password").click()
        page.wait_for_url(lambda url: "invitation" not in url)
        page.context.set_default_timeout(5_000)
        yield found


@pytest.fixture
def person(window: Visitor) -> Iterator[Visitor]:
    """The person. Nothing may go wrong in their window during a test."""
    yield window
    window.is_well()
