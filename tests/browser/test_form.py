"""Forms in a browser: the draft of a new account, its summary and its end; a reviewer's keys."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Browser, Dialog, expect

from tests.browser.visitor import Visitor, sign_in
from tests.support.installation import Installation, http
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


def test_draft_ends_with_the_session(chromium: Browser, retinue: Installation) -> None:
    """
    Who signs out leaves nothing of what they wrote in the window, and nothing else that was kept there goes.
    """

    def accepted(dialog: Dialog) -> None:
        dialog.accept()

    with Visitor.open(chromium, retinue, None) as visitor:
        sign_in(visitor.page, retinue)
        page = visitor.go("/accounts/new")
        page.on("dialog", accepted)
        page.get_by_label("Purpose").fill("A secret project.")
        page.wait_for_function("JSON.stringify({...sessionStorage}).includes('secret project')")
        page.evaluate("sessionStorage.setItem('of-another', 'kept')")
        page.goto("/logout/")
        before: str = page.evaluate("JSON.stringify({...sessionStorage})")
        page.get_by_role("main").get_by_role("button", name="Sign out").click()
        page.wait_for_url(lambda url: "login" in url)

        assert "secret project" in before
        after: dict[str, str] = page.evaluate("({...sessionStorage})")
        assert "kept" == after["of-another"]
        assert not [name for name in after if "draft" in name], after


def test_keys_of_a_reviewer(visitor: Visitor, retinue: Installation, account: tuple[str, str]) -> None:
    """
    1 to 5 are the five decisions: what needs words gets the focus, deletion is only pointed at, a digit in a field is a
    digit, and 3 disables.
    """
    body = {"name": f"Keys {account[1]}", "template": "scope", "accounts": [account[0]]}
    review = http("POST", f"{retinue.url}/v1/reviews", token=retinue.token(), body=body).json()["id"]

    def decision() -> Any:
        items = http("GET", f"{retinue.url}/v1/reviews/{review}/items", token=retinue.token()).json()["items"]
        return [each["decision"] for each in items]

    page = visitor.go(f"/reviews/{review}")
    item = page.locator("[data-review-item]")
    page.keyboard.press("4")
    expect(item.locator("button[value=delete]")).to_be_focused()
    page.keyboard.press("5")
    expect(item.locator("[name=assignee]")).to_be_focused()
    page.keyboard.press("3")
    expect(item.locator("[name=assignee]")).to_have_value("3")
    item.locator("[name=assignee]").fill("")
    before = decision()
    item.locator("button[value=delete]").focus()
    page.keyboard.press("3")
    expect(page.locator(".badge-info")).to_be_visible()

    assert ([None], ["disable"]) == (before, decision())
