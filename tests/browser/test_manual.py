"""The documents in a real browser: under the console's own content policy, without any other host."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.browser.visitor import Visitor

#: The search stands in a tree of its own.
_IN_A_FIELD = "document.activeElement?.shadowRoot?.activeElement instanceof HTMLInputElement"


def _open_search(page: Page) -> None:
    """Press the key until a field has the cursor: the page listens to it some time after it is shown."""
    for _ in range(240):
        page.keyboard.press("/")
        page.wait_for_timeout(250)
        if page.evaluate(_IN_A_FIELD):
            return
    raise AssertionError("the key opens no search")


def test_documents_are_read_and_searched(visitor: Visitor) -> None:
    """
    The documents open, are searched in the browser, and lead on, while the policy stops nothing and nothing is asked
    of another host.
    """
    page = visitor.page
    page.goto("/docs/")
    page.get_by_role("link", name="commands").first.click()
    page.get_by_role("heading", name="retinue key revoke", exact=False).first.wait_for()
    page.goto("/docs/")
    _open_search(page)
    page.keyboard.press("Control+A")
    page.keyboard.type("incarnation")
    found = page.locator("a", has_text="incarnation").first
    found.wait_for()
    found.click()
    page.wait_for_url(lambda url: url.rstrip("/") != f"{visitor.retinue.url}/docs")

    assert "incarnation" in page.inner_text("main").lower()
