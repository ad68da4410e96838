"""The documents in a real browser: under the console's own content policy, without any other host."""

from __future__ import annotations

from tests.browser.visitor import Visitor


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
    page.keyboard.press("/")
    page.keyboard.type("incarnation")
    found = page.locator("a", has_text="incarnation").first
    found.wait_for()
    found.click()
    page.wait_for_url(lambda url: url.rstrip("/") != f"{visitor.retinue.url}/docs")

    assert "incarnation" in page.inner_text("main").lower()
