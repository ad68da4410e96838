"""The rules of the dialog that shows a token once, where they are about time, the connection, and the network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import NAME
from tests.browser.presets.steps import HEADING
from tests.browser.visitor import Visitor, sign_in
from tests.support.installation import Installation
from tests.support.requirements import requires

pytestmark = requires("chromium")
EVERYWHERE = """JSON.stringify([
    Object.entries(localStorage), Object.entries(sessionStorage), history.state, location.href,
    document.documentElement.outerHTML, [...document.querySelectorAll("textarea, input")].map((each) => each.value),
])"""


def _issue(visitor: Visitor, account: tuple[str, str]) -> str:
    """Issue a key; return the token that is shown."""
    page = visitor.go(f"/accounts/{account[0]}/keys")
    page.get_by_role("link", name="Issue API key").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Issue API key").click()
    expect(page.get_by_role("heading", name=HEADING)).to_be_focused()
    return page.get_by_label("New token, shown once").input_value()


def _leave(page: Page) -> None:
    page.get_by_label("I have stored it").check()
    page.get_by_role("link", name="Done").click()
    page.wait_for_selector("secret-reveal", state="detached")


@pytest.fixture
def plain(chromium: Browser, retinue: Installation) -> Iterator[Visitor]:
    """The administrator, who has come by a name of the network, without TLS."""
    url = f"http://{NAME}:{retinue.port}"
    with Visitor.open(chromium, retinue, None, url=url) as visitor:
        sign_in(visitor.page, retinue, url)
        yield visitor


def test_token_is_whole_selected_and_read_out(visitor: Visitor, account: tuple[str, str]) -> None:
    """
    The token stands in one field that cannot be written, is not cut off and is selected; heading, field and
    message are read out; one button is the main one; nothing cancels or closes; the summary says what it may do.
    """
    token = _issue(visitor, account)
    page = visitor.page
    reveal = page.locator("secret-reveal")
    field = page.get_by_label("New token, shown once")
    asked = """(field) => [field.readOnly, field.disabled, field.scrollWidth <= field.clientWidth,
        field.scrollHeight <= field.clientHeight, field.selectionEnd - field.selectionStart]"""

    assert [True, False, True, True, len(token)] == field.evaluate(asked)
    expect(reveal.locator(".button-main:visible")).to_have_count(1)
    expect(reveal.get_by_role("status").first).to_be_attached()
    assert [] == [
        name for name in ("Cancel", "Close") if reveal.get_by_role("button", name=name, exact=True).count()
    ]
    expect(reveal.get_by_text("It can do nothing yet")).to_be_visible()
    expect(reveal.get_by_text("stops working on", exact=False)).to_be_visible()
    _leave(page)


def test_file_of_the_token_is_named_after_it(visitor: Visitor, account: tuple[str, str]) -> None:
    """
    The download holds the token and is named after the key; then the page can be left, with nothing else to do.
    """
    token = _issue(visitor, account)
    page = visitor.page
    with page.expect_download() as waited:
        page.get_by_role("button", name="Download").click()

    assert waited.value.suggested_filename.endswith("-token.txt")
    assert f"{token}\n" == waited.value.path().read_text()
    expect(page.get_by_text("Downloaded.")).to_be_visible()
    page.get_by_role("link", name="Done").click()
    page.wait_for_selector("secret-reveal", state="detached")


def test_copy_works_without_a_secure_context(plain: Visitor, account: tuple[str, str]) -> None:
    """
    From plain HTTP under a name of the network the browser offers no clipboard; the copy reaches it all the same,
    and where it does not, the page says what to press.
    """
    token = _issue(plain, account)
    page = plain.page
    assert page.evaluate("[isSecureContext, typeof navigator.clipboard]") == [False, "undefined"]
    page.get_by_role("button", name="Copy token").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    # What was copied is read by pasting it: a page that is not secure may not read the clipboard.
    page.evaluate("""() => {
        const into = document.createElement("textarea");
        into.id = "pasted";
        document.querySelector("secret-reveal").append(into);
    }""")
    page.locator("#pasted").focus()
    page.keyboard.press("Control+V")
    expect(page.locator("#pasted")).to_have_value(token)
    page.evaluate("document.execCommand = () => false")
    page.get_by_role("button", name="Copy token").click()

    expect(page.get_by_text("Press Ctrl+C.")).to_be_visible()
    _leave(page)


def test_token_hides_itself_after_ten_minutes(visitor: Visitor, account: tuple[str, str]) -> None:
    """
    For ten minutes nothing replaces the dialog, however often its line asks; then the token is in the page no more,
    and the page says what to do.
    """
    page = visitor.page
    page.clock.install()
    before: int = page.evaluate("Date.now()")
    token = _issue(visitor, account)
    # From here its clock goes on when it is told to, and no sooner on a machine with much to do.
    paused: int = page.evaluate("Date.now()") + 1_000
    page.clock.pause_at(paused / 1_000)
    page.clock.fast_forward(before + 590_000 - paused)
    assert token == page.get_by_label("New token, shown once").input_value()
    page.clock.fast_forward(paused - before + 11_000)
    page.clock.resume()

    expect(page.get_by_text("The token is hidden now.")).to_be_visible()
    assert token not in page.evaluate(EVERYWHERE)
    page.get_by_role("link", name="Done").click()
    page.wait_for_selector("secret-reveal", state="detached")


def test_end_of_the_session_costs_no_token(visitor: Visitor, account: tuple[str, str]) -> None:
    """
    While the token is shown the session ends: the line that asks for the first request gets the sign-in page, and
    the dialog stays as it is.
    """
    token = _issue(visitor, account)
    page = visitor.page
    page.context.clear_cookies()
    with page.expect_response(lambda answer: "/login" in answer.url):
        pass
    page.wait_for_timeout(300)

    assert token == page.get_by_label("New token, shown once").input_value()
    page.get_by_label("I have stored it").check()
    page.get_by_role("link", name="Done").click()
    page.wait_for_url("**/login/**")


def test_answer_with_the_token_is_stored_by_nobody(visitor: Visitor, account: tuple[str, str]) -> None:
    """
    The answer that holds the token may not be stored; after leaving, neither back nor forward nor any storage has it,
    and no address ever had it.
    """
    page, seen = visitor.page, []
    page.on("request", lambda request: seen.append(request.url))
    page.on("framenavigated", lambda frame: seen.append(frame.url))
    with page.expect_response(lambda answer: answer.request.method == "POST") as answered:
        token = _issue(visitor, account)
    _leave(page)
    places = [page.evaluate(EVERYWHERE)]
    for step in (page.go_back, page.go_forward, page.go_back):
        step()
        page.wait_for_load_state()
        assert page.url.startswith("http")
        places.append(page.evaluate(EVERYWHERE))

    assert "no-store" in answered.value.headers["cache-control"]
    assert [] == [each for each in [*places, *seen] if token in each]


def test_start_again_revokes_what_was_not_saved(visitor: Visitor, account: tuple[str, str]) -> None:
    """
    Who has not saved the token can revoke it and start again: no node accepts it any more.
    """
    token = _issue(visitor, account)
    page = visitor.page
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Revoke and start again").click()
    page.wait_for_selector("secret-reveal", state="detached")

    assert "credential_revoked" == visitor.verdict(token)
