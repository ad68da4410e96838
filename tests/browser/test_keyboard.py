"""The main story by keyboard alone: no pointer, and no focus that the test itself has moved."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import enter
from tests.browser.visitor import Visitor, settle
from tests.conformance.server import Server
from tests.support.requirements import requires

pytestmark = requires("chromium")
REVEAL = "Copy this token now. It is shown once."
#: What has the focus says: its label, its name for readers, its own text. Reading it moves nothing.
_SAID = (
    "(() => { const at = document.activeElement;"
    " if (!at || !at.matches('a, button, input, textarea, select, summary')) return '';"
    " return [at.labels?.[0]?.textContent, at.getAttribute('aria-label'), at.textContent].join(' '); })()"
)
NAME = "by-keyboard"


@pytest.fixture
def reviewer(chromium: Browser, server: Server) -> Iterator[Visitor]:
    """Somebody who may do most in an organization without other accounts than its founder."""
    organization = server.organization("native")
    with Visitor.open(chromium, server.running, None, handle=organization.handle) as found:
        enter(found, organization)
        yield found


def test_main_story_by_keyboard_alone(reviewer: Visitor, server: Server) -> None:
    """
    Create an account, issue a key, switch the account off and on, rotate, revoke, and review: each by keys alone,
    and each holds on the node. A dialog that is left gives the focus back to what opened it.
    """
    page = reviewer.go("/accounts")
    first = _create(page)
    assert [None] == _verdicts(server, first)

    page.keyboard.press("]")
    page.wait_for_url("**/keys")
    second = _issue(page)
    assert [None, None] == _verdicts(server, first, second)

    _switch_off_and_on(page, server, first)

    third = _rotate(page)
    assert [None] * 3 == _verdicts(server, first, second, third)

    _revoke(page)
    # The newest key stands first: the one that the rotation has made.
    assert [None, None, "credential_revoked"] == _verdicts(server, first, second, third)

    _review(page)


def test_account_is_found_and_opened_by_keyboard(reviewer: Visitor) -> None:
    """
    ``f`` goes to the search, which narrows the list; from there the tabulator reaches the row, and Enter opens it.
    """
    page = reviewer.go("/accounts")
    page.keyboard.press("f")
    page.keyboard.type("Founder")
    # The list held nobody else before: that it was narrowed, the address says.
    expect(page).to_have_url(re.compile("search=Founder"))
    settle(page)
    expect(page.locator(".row-link")).to_have_count(1)
    for _step in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(_SAID).strip() == "Founder":  # and not the box or the switch of its row
            break
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1, name="Founder")).to_be_visible()


def _create(page: Page) -> str:
    page.keyboard.press("c")
    expect(page.get_by_label("Name", exact=False).first).to_be_focused()
    page.keyboard.type(NAME)
    _tab_to(page, "Purpose")
    page.keyboard.type("Shows that hands on keys suffice.")
    _tab_to(page, "Create service account")
    page.keyboard.press("Enter")
    token = _keep(page)
    expect(page.get_by_role("heading", level=1, name=NAME)).to_be_visible()
    return token


def _issue(page: Page) -> str:
    page.keyboard.press("c")
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.get_by_label("Name", exact=False).first).to_be_focused()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("second")
    page.keyboard.press("Enter")
    return _keep(page)


def _switch_off_and_on(page: Page, server: Server, token: str) -> None:
    _tab_to(page, f"{NAME} is enabled")
    page.keyboard.press("Space")
    expect(page.get_by_role("dialog")).to_be_visible()
    _tab_to(page, f"Disable {NAME}")
    page.keyboard.press("Enter")
    expect(page.get_by_text("None of its credentials work.")).to_be_visible()
    assert ["account_disabled"] == _verdicts(server, token)
    _tab_to(page, f"{NAME} is enabled")
    page.keyboard.press("Space")
    expect(page.get_by_text(f"{NAME} is enabled.", exact=False).first).to_be_visible()
    expect(page.get_by_role("switch")).to_be_checked()
    assert [None] == _verdicts(server, token)


def _rotate(page: Page) -> str:
    _choose(page, "Rotate…")
    _tab_to(page, "Rotate ")
    page.keyboard.press("Enter")
    token = _keep(page)
    expect(page.locator("tr.under")).to_contain_text("Retiring")
    return token


def _revoke(page: Page) -> None:
    _choose(page, "Revoke…")
    page.keyboard.press("Escape")
    # The dialog says that it was closed in a task of its own: the focus comes back after it is gone.
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("button", name="Actions for API key").first).to_be_focused()
    _choose(page, "Revoke…")
    _tab_to(page, "Revoke ")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Holds since")).to_be_visible()


def _review(page: Page) -> None:
    """Open a review of everything, and keep the account that was asked about first."""
    page.keyboard.press("g")
    page.keyboard.press("v")
    page.wait_for_url("**/reviews")
    page.keyboard.press("c")
    expect(page.get_by_label("Name", exact=False).first).to_be_focused()
    page.keyboard.type("Keys only")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Keys only")).to_be_visible()
    _tab_to(page, f"Decide about {NAME}")
    page.keyboard.press("1")
    expect(page.get_by_text("1 of 2 decided")).to_be_visible()
    expect(page.get_by_text(f"{NAME}: Keep.")).to_be_visible()


def _choose(page: Page, item: str) -> None:
    """Open the menu of the first key of the list, and choose an item of it."""
    _tab_to(page, "Actions for API key")
    page.keyboard.press("Enter")
    # An open menu takes the focus in a task of its own, which would undo a tabulator that was faster.
    expect(page.locator(":popover-open :focus")).to_be_visible()
    _tab_to(page, item)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()


def _keep(page: Page) -> str:
    """Read the token that is shown once, say that it is stored, and go on. Returns the token."""
    expect(page.get_by_role("heading", name=REVEAL)).to_be_focused()
    token = page.get_by_label("New token, shown once").input_value()
    _tab_to(page, "I have stored it")
    page.keyboard.press("Space")
    _tab_to(page, "Done")
    page.keyboard.press("Enter")
    page.wait_for_selector("secret-reveal", state="detached")
    return token


def _tab_to(page: Page, words: str) -> None:
    """Go on with the tabulator until what has the focus says ``words``."""
    met = []
    for _step in range(120):
        said: str = page.evaluate(_SAID)
        if words in said:
            return
        met.append(" ".join(said.split())[:40])
        page.keyboard.press("Tab")
    raise AssertionError(f"nothing that says {words!r} is reached: {met}")


def _verdicts(server: Server, *tokens: str) -> list[str | None]:
    """Return why the node denies each token; ``None`` where it accepts it."""
    return [server.ask(token=each).get("reason") for each in tokens]
