"""The palette and single keys, in a real browser."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.visitor import Visitor
from tests.support.requirements import requires

pytestmark = requires("chromium")


def test_palette_leads_to_an_account_by_keys_alone(visitor: Visitor, account: tuple[str, str]) -> None:
    """
    Ctrl and K opens it, a name is written, Enter opens the account; Esc closes it and changes nothing.
    """
    page = visitor.go("/credentials")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.locator("#palette-found a").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("Control+k")
    page.keyboard.type(account[1])
    expect(page.locator("#palette-found a").first).to_contain_text(account[1])
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1, name=account[1])).to_be_visible()


def test_single_keys_can_be_switched_off(visitor: Visitor) -> None:
    """
    Switched off, a key does nothing; switched on again, it does what it did.
    """
    page = visitor.go("/accounts")
    page.keyboard.press("?")
    page.get_by_role("button", name="Switch single keys off").click()
    expect(page.locator("html[data-keys=off]")).to_have_count(1)
    page.keyboard.press("?")
    page.keyboard.press("c")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert page.url.endswith("/accounts")
    page.context.clear_cookies(name="retinue-keys")
    page.reload()
    page.keyboard.press("c")
    page.wait_for_url("**/accounts/new")
