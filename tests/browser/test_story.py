"""The main story in a real browser: an account, its key once, its use, rotation, the switch, the revoke."""

from __future__ import annotations

import re
import secrets

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.visitor import Visitor
from tests.support.requirements import requires

pytestmark = requires("chromium")


def _create(page: Page, name: str) -> str:
    """Fill in the form, and return the token that is shown."""
    page.get_by_role("link", name="Create service account").first.click()  # an empty list offers it twice
    page.get_by_label("Name", exact=False).first.fill(name)
    page.get_by_label("Purpose").fill("Loads the reports every night.")
    page.get_by_role("button", name="Create service account").click()
    expect(page.get_by_role("heading", name="Copy this token now. It is shown once.")).to_be_focused()
    return page.get_by_label("New token, shown once").input_value()


def _keep(page: Page) -> None:
    """Say that the token is stored, and go on."""
    page.get_by_label("I have stored it").check()
    page.get_by_role("link", name="Done").click()
    page.wait_for_selector("secret-reveal", state="detached")


def _menu(page: Page, of: str, item: str) -> None:
    page.get_by_role("button", name=of).click()
    page.get_by_role("link", name=item).click()


def test_story_of_a_key(visitor: Visitor) -> None:
    """
    Create, see the token once, use it, rotate, disable and enable by the switch, revoke: each holds on the node.
    """
    name = f"story-{secrets.token_hex(4)}"
    page = visitor.go("/accounts")
    token = _create(page, name)
    visitor.accepted(token)
    page.get_by_role("button", name="Test now").click()
    expect(page.get_by_text(f"Accepted: {name}")).to_be_visible()
    expect(page.get_by_text("First request")).to_be_visible()
    _keep(page)
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
    assert token not in page.content()

    page.get_by_role("link", name="Keys", exact=False).first.click()
    _menu(page, "Actions for API key", "Rotate…")
    page.get_by_role("button", name="Rotate").click()
    expect(page.get_by_role("heading", name="Copy this token now. It is shown once.")).to_be_focused()
    newer = page.get_by_label("New token, shown once").input_value()
    _keep(page)
    expect(page.locator("tr.under")).to_contain_text("Retiring")
    assert visitor.verdict(token) is None
    visitor.accepted(newer)

    page.get_by_role("switch").click()
    page.get_by_role("button", name=f"Disable {name}").click()
    expect(page.get_by_text("None of its credentials work.")).to_be_visible()
    assert ["account_disabled"] * 2 == [visitor.verdict(each) for each in (token, newer)]
    page.get_by_role("switch").click()
    expect(page.get_by_text(f"{name} is enabled.")).to_be_visible()
    visitor.accepted(token, newer)

    page.get_by_role("button", name="Actions for API key").first.click()
    page.get_by_role("link", name="Revoke…").locator("visible=true").click()
    page.get_by_label("Compromised: final, never restored").check()
    page.get_by_role("button", name="Revoke").click()
    expect(
        page.get_by_text(re.compile(r"Holds since \d\d:\d\d:\d\d\.\d{3} UTC on 1 of 1 node"))
    ).to_be_visible()
    assert ["credential_revoked", None] == sorted(
        (visitor.verdict(each) for each in (token, newer)), key=lambda reason: reason or "z"
    )


def test_two_people_change_the_same_account(visitor: Visitor, account: tuple[str, str]) -> None:
    """
    Who saves after another keeps what the other changed in fields that they did not touch.
    """
    ident, _name = account
    first = visitor.go(f"/accounts/{ident}/settings")
    second = visitor.beside()
    second.goto(first.url)
    first.get_by_label("Purpose").fill("Purpose of the first")
    first.get_by_role("button", name="Save changes").click()
    expect(first.get_by_text("Saved.")).to_be_visible()
    second.get_by_label("Description").fill("Description of the second")
    second.get_by_role("button", name="Save changes").click()
    expect(second.get_by_text("Saved.")).to_be_visible()
    second.reload()

    expect(second.get_by_label("Purpose")).to_have_value("Purpose of the first")
    expect(second.get_by_label("Description")).to_have_value("Description of the second")


def test_two_people_change_the_same_field(visitor: Visitor, account: tuple[str, str]) -> None:
    """
    Who saves a field after another sees both texts, and nothing is lost: what they wrote stays in the form, and
    what the other wrote stays in the account until they save again, knowing it.
    """
    ident, _name = account
    first = visitor.go(f"/accounts/{ident}/settings")
    second = visitor.beside()
    second.goto(first.url)
    first.get_by_label("Purpose").fill("Purpose of the first")
    first.get_by_role("button", name="Save changes").click()
    expect(first.get_by_text("Saved.")).to_be_visible()
    second.get_by_label("Purpose").fill("Purpose of the second")
    second.get_by_label("Description").fill("Written by the second")
    second.get_by_role("button", name="Save changes").click()
    expect(second.get_by_text("Somebody else has changed it meanwhile: Purpose of the first")).to_be_visible()
    expect(second.get_by_label("Purpose")).to_have_value("Purpose of the second")
    expect(second.get_by_label("Description")).to_have_value("Written by the second")
    first.reload()
    expect(first.get_by_label("Purpose")).to_have_value("Purpose of the first")
    expect(first.get_by_label("Description")).to_have_value("")
    second.get_by_role("button", name="Save changes").click()
    expect(second.get_by_text("Saved.")).to_be_visible()

    expect(second.get_by_label("Purpose")).to_have_value("Purpose of the second")


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_lost_connection_loses_nothing_and_does_nothing_twice(
    visitor: Visitor, account: tuple[str, str], lost: str
) -> None:
    """
    A dialog that gets no answer stays as it was filled in, and the page says so. The next try goes through, and the
    act is done once, even where the first try had reached the server and only its answer was lost.
    """
    ident, _name = account
    page = visitor.go(f"/accounts/{ident}/keys")
    page.get_by_role("link", name="Issue API key").first.click()
    page.get_by_label("Name", exact=False).first.fill("kept-name")
    if lost == "request":
        page.context.set_offline(True)
    else:
        page.route("**/keys/new", _swallow)
    page.get_by_role("dialog").get_by_role("button", name="Issue API key").click()
    expect(page.get_by_text("The server did not answer.")).to_be_visible()
    expect(page.get_by_label("Name", exact=False).first).to_have_value("kept-name")
    page.context.set_offline(False)
    page.unroute_all()
    page.get_by_role("dialog").get_by_role("button", name="Issue API key").click()
    expect(page.get_by_role("heading", name="Copy this token now. It is shown once.")).to_be_focused()
    visitor.wrong.clear()  # the browser's own words about the connection
    token = page.get_by_label("New token, shown once").input_value()
    _keep(page)
    page = visitor.go(f"/accounts/{ident}/keys")

    expect(page.locator("tbody tr").filter(has_text="kept-name")).to_have_count(1)
    visitor.accepted(token)


def _swallow(route: Route) -> None:
    """Let a request reach the server, and lose its answer."""
    route.fetch()
    route.abort("connectionreset")


def test_everything_works_without_scripts(visitor: Visitor, account: tuple[str, str]) -> None:
    """
    With scripts switched off each act is a page and a form: issue, and revoke with its receipt.
    """
    ident, _name = account
    state = visitor.page.context.storage_state()
    browser = visitor.page.context.browser
    assert browser is not None
    with Visitor.open(browser, visitor.retinue, state, java_script_enabled=False) as plain:
        page = plain.go(f"/accounts/{ident}/keys/new")
        page.get_by_role("button", name="Issue API key").click()
        token = page.get_by_label("New token, shown once").input_value()
        page.get_by_role("link", name="Done").click()
        key = page.locator("tbody tr").first.get_attribute("id")
        plain.go(f"/keys/{key}/do/revoke")
        page.get_by_role("button", name="Revoke").click()

        expect(page.get_by_text("Holds since")).to_be_visible()
        assert "credential_revoked" == plain.verdict(token)


def test_list_of_many_accounts_answers_while_typing(visitor: Visitor, account: tuple[str, str]) -> None:
    """
    The search narrows the list without a new page, keeps the focus, and the address reproduces it.
    """
    _ident, name = account
    page = visitor.go("/accounts")
    page.get_by_label("Filter by name", exact=False).press_sequentially(name, delay=5)
    expect(page.locator(".row-link")).to_have_count(1)

    expect(page.get_by_label("Filter by name", exact=False)).to_be_focused()
    page.reload()
    expect(page.locator(".row-link")).to_have_count(1)
