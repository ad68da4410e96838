"""The dialog that shows a token once: its rules, one by one."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Dialog, Page, Route, expect

from tests.browser.visitor import Visitor
from tests.support.requirements import requires

pytestmark = requires("chromium")
_REFUSE = "navigator.clipboard.writeText = () => Promise.reject(new Error('refused'));"


@pytest.fixture
def shown(visitor: Visitor, account: tuple[str, str]) -> Page:
    """A page with the dialog open."""
    page = visitor.go(f"/accounts/{account[0]}/keys")
    page.get_by_role("link", name="Issue API key").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Issue API key").click()
    expect(page.get_by_role("heading", name="Copy this token now. It is shown once.")).to_be_focused()
    return page


def _token(page: Page) -> str:
    return page.get_by_label("New token, shown once").input_value()


def _done(page: Page) -> None:
    # By force: it can be clicked while it says that it is not available, and then asks.
    page.get_by_role("link", name="Done").click(force=True)


def test_copy_is_said_when_it_has_happened(visitor: Visitor, shown: Page) -> None:
    """
    After a copy the clipboard holds the token, the page says so, and only then it can be left.
    """
    shown.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(shown.get_by_role("link", name="Done")).to_have_attribute("aria-disabled", "true")
    token = _token(shown)
    shown.get_by_role("button", name="Copy token").click()
    expect(shown.get_by_text("Copied.")).to_be_visible()

    assert token == shown.evaluate("navigator.clipboard.readText()")
    _done(shown)
    shown.wait_for_selector("secret-reveal", state="detached")
    assert token not in shown.content()


def test_refused_copy_is_not_called_a_success(visitor: Visitor, shown: Page) -> None:
    """
    Where neither way of copying works, the page says what to press, the token is selected, nothing unlocks.
    """
    shown.evaluate(_REFUSE + "document.execCommand = () => false;")
    shown.get_by_role("button", name="Copy token").click()

    expect(shown.get_by_text("Press Ctrl+C.")).to_be_visible()
    expect(shown.get_by_role("link", name="Done")).to_have_attribute("aria-disabled", "true")
    assert _token(shown) == shown.evaluate("window.getSelection().toString()")
    shown.get_by_label("I have stored it").check()
    _done(shown)
    shown.wait_for_selector("secret-reveal", state="detached")


@pytest.mark.parametrize("way", ["Escape", "Done", "back", "outside"])
def test_nothing_closes_it_by_accident(visitor: Visitor, shown: Page, way: str) -> None:
    """
    Esc, Done, the back button and a click outside lead to the question; the token is still there after it.
    """
    token = _token(shown)
    if way == "Escape":
        shown.keyboard.press("Escape")
    elif way == "Done":
        _done(shown)
    elif way == "back":
        shown.evaluate("history.back()")
    else:
        shown.mouse.click(5, 5)
    expect(shown.get_by_text("You have not saved the token.")).to_be_visible()
    shown.get_by_role("button", name="Go back").click()
    expect(shown.get_by_text("You have not saved the token.")).to_be_hidden()

    assert token == _token(shown)
    shown.get_by_label("I have stored it").check()
    _done(shown)
    shown.wait_for_selector("secret-reveal", state="detached")


def test_reload_asks_first(visitor: Visitor, shown: Page) -> None:
    """
    A reload raises the browser's own question; who stays still sees the token.
    """
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    token = _token(shown)
    shown.on("dialog", stay)
    with shown.expect_event("dialog"):
        shown.evaluate("setTimeout(() => location.reload(), 0)")

    assert ["beforeunload"] == asked
    assert token == _token(shown)
    shown.get_by_label("I have stored it").check()
    _done(shown)
    shown.wait_for_selector("secret-reveal", state="detached")


def test_recipes_hide_the_token(visitor: Visitor, shown: Page) -> None:
    """
    Recipes show a mask; the copy with the token is an act of its own.
    """
    shown.context.grant_permissions(["clipboard-read", "clipboard-write"])
    token = _token(shown)
    texts = shown.locator("[data-recipe]").all_text_contents()

    assert 9 == len(texts)
    assert all(token not in each for each in texts)
    shown.get_by_role("button", name="Copy with token").first.click()
    expect(shown.get_by_text("Copied.")).to_be_visible()
    assert token in shown.evaluate("navigator.clipboard.readText()")
    _done(shown)
    shown.wait_for_selector("secret-reveal", state="detached")


def test_token_is_kept_nowhere(visitor: Visitor, shown: Page) -> None:
    """
    After leaving, no storage, history or address of the browser holds the token; back shows another page.
    """
    token = _token(shown)
    shown.get_by_label("I have stored it").check()
    _done(shown)
    shown.wait_for_selector("secret-reveal", state="detached")
    kept = shown.evaluate(
        "JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage), history.state, location.href])"
    )

    assert token not in kept
    shown.go_back()
    assert token not in shown.content()


def test_end_of_the_session_is_told_beside_the_token(visitor: Visitor, account: tuple[str, str]) -> None:
    """
    Two minutes before the session ends the page says so, while a token is shown: the token stays, and *Stay
    signed in* takes the warning away.
    """
    page = visitor.page
    page.clock.install()

    def soon(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(
            response=answer, body=re.sub('data-seconds="[0-9]+"', 'data-seconds="420"', answer.text())
        )

    page.route(f"**/accounts/{account[0]}/keys", soon)
    left = ["110", "1800"]
    page.route("**/me/sessions/left*", lambda route: route.fulfill(body=left.pop(0)))
    visitor.go(f"/accounts/{account[0]}/keys")
    page.get_by_role("link", name="Issue API key").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Issue API key").click()
    token = _token(page)
    warning = page.get_by_role("alert").filter(has_text="Your session ends in 2 minutes.")
    expect(warning).to_be_hidden()
    page.clock.fast_forward("05:01")
    expect(warning).to_be_visible()
    assert token == _token(page)
    warning.get_by_role("button", name="Stay signed in").click()
    expect(warning).to_be_hidden()
    assert token == _token(page)
    page.get_by_label("I have stored it").check()
    _done(page)
