"""Wavefront: what its users find in the console, in a browser."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.presets.steps import choose, keep, press, row_of
from tests.browser.visitor import Visitor
from tests.conformance.server import Organization
from tests.support.requirements import requires

pytestmark = requires("chromium")


def test_WF8_account_management_creates_accounts(person: Visitor) -> None:
    """
    The place is called *Account management*, and creates an account with its ``sa::`` handle.
    """
    page = person.go("/")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Account management").click()
    expect(page.get_by_role("heading", level=1, name="Account management")).to_be_visible()
    page.get_by_role("link", name="Create service account").first.click()
    page.get_by_label("Name required").fill("Loader")
    if (wanted := page.get_by_label("Issue it now")).count():
        wanted.uncheck()
    page.get_by_role("button", name="Create service account").click()

    expect(page.get_by_text("sa::loader").first).to_be_visible()


def test_WF13_key_ids_are_copied_by_a_button(person: Visitor, organization: Organization) -> None:
    """
    Each row of the tokens copies its key id; a token itself is copied where it is shown once.
    """
    account = organization.account("copied")
    key = organization.key(account, name="named")["key"]
    page = person.go(f"/accounts/{account['id']}/keys")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    row_of(page, "named").get_by_role("button", name=f"Copy {key['key_id']}").click()
    expect(page.locator(f"[data-copy='{key['key_id']}'].copied")).to_be_visible()
    assert key["key_id"] == page.evaluate("navigator.clipboard.readText()")
    page.get_by_role("link", name="Generate token").first.click()
    press(page, "Generate token")
    page.get_by_role("button", name="Copy token").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")

    assert copied == keep(page)


def test_WF18_menu_switch_and_name(person: Visitor, organization: Organization) -> None:
    """
    The menu of a row deactivates an account, its name opens its page, whose switch activates it again.
    """
    token = organization.key(organization.account("turned"))["token"]
    page = person.go("/accounts?search=turned")
    choose(page, "turned", "Deactivate…")
    press(page, "Deactivate")
    expect(page.get_by_role("switch")).not_to_be_checked()
    off = organization.decide(token)
    row_of(page, "turned").get_by_role("link", name="turned", exact=True).click()
    page.get_by_role("switch").click()
    expect(page.get_by_role("switch")).to_be_checked()

    assert ["account_disabled", "allowed"] == [off, organization.awaited(token)]


def test_WF19_tokens_stand_on_the_create_and_the_edit_page(
    person: Visitor, organization: Organization
) -> None:
    """
    The form of a new account offers its first token, and the page of an account generates more.
    """
    page = person.go("/accounts/new")
    expect(page.get_by_role("heading", name="First token")).to_be_visible()
    page.get_by_label("Name required").fill("with-token")
    page.get_by_label("Issue it now").check()
    page.get_by_role("button", name="Create service account").click()
    assert "allowed" == organization.awaited(keep(page))

    expect(page.get_by_role("link", name="Generate token").first).to_be_visible()


def test_WF20_many_rows_are_chosen(person: Visitor, organization: Organization) -> None:
    """
    Rows of the list are chosen, and an act on the chosen ones changes those alone.
    """
    made = [organization.account(f"chosen-{n}") for n in range(3)]
    page = person.go("/accounts?search=chosen-")
    for n in range(2):
        page.get_by_role("checkbox", name=f"Select chosen-{n}").check()
    page.get_by_role("button", name="Disable…").click()
    page.get_by_role("main").get_by_role("button", name="Disable").last.click()
    expect(page.get_by_text("2 changed.")).to_be_visible()
    page = person.go("/accounts?search=chosen-")
    expect(page.get_by_role("switch")).to_have_count(3)

    states = [organization.admin.get(f"/v1/service-accounts/{each['id']}")["state"] for each in made]
    assert ["disabled", "disabled", "enabled"] == states
