"""The form of a new account in a browser: its summary, and its draft."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.visitor import Visitor
from tests.support.requirements import requires

pytestmark = requires("chromium")


def test_draft_outlives_a_reload_and_ends_with_the_form(visitor: Visitor) -> None:
    """
    What was written is there after a reload, the summary follows it, and nothing is kept once it was sent.
    """
    page = visitor.go("/accounts/new")
    page.get_by_label("Name required").fill("draft-of-mine")
    page.get_by_label("Purpose").fill("Looked at.")
    page.get_by_label("Permissions of its own").fill("review:read")
    expect(page.get_by_text("It will be able to use 1 permission:")).to_be_visible()
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(page.get_by_label("Name required")).to_have_value("draft-of-mine")
    expect(page.get_by_label("Permissions of its own")).to_have_value("review:read")
    kept: str = page.evaluate("JSON.stringify({...sessionStorage})")
    assert "csrf" not in kept
    page.get_by_label("Issue it now").uncheck()
    page.get_by_label("Permissions of its own").fill("")
    page.get_by_role("button", name="Create service account").click()
    expect(page.get_by_role("heading", level=1, name="draft-of-mine")).to_be_visible()

    assert "draft" not in page.evaluate("Object.keys(sessionStorage).join()")
