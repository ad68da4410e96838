"""What a person does again and again on these pages."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

HEADING = "Copy this token now. It is shown once."


def row_of(page: Page, name: str) -> Locator:
    """Return the row of a table that has this name."""
    return page.locator("tr").filter(has_text=name)


def choose(page: Page, name: str, item: str) -> None:
    """Open the menu of a row, and choose an item."""
    row_of(page, name).locator("button[popovertarget]").click()
    page.get_by_role("link", name=item).locator("visible=true").click()


def keep(page: Page) -> str:
    """Read the token that is shown once, say that it is stored, and go on. Returns the token."""
    expect(page.get_by_role("heading", name=HEADING)).to_be_visible()
    token = page.get_by_label("New token, shown once").input_value()
    page.get_by_label("I have stored it").check()
    page.get_by_role("link", name="Done").click()
    page.wait_for_selector("secret-reveal", state="detached")
    return token


def press(page: Page, name: str) -> None:
    """Press the button of the dialog that is open."""
    page.get_by_role("dialog").get_by_role("button", name=name).click()
