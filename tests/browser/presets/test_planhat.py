"""Planhat: what its users find in the console, in a browser."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.presets.steps import keep, press, row_of
from tests.browser.visitor import Visitor
from tests.conformance.server import Organization
from tests.support.requirements import requires

pytestmark = requires("chromium")


def test_PL7_the_menu_of_the_avatar_leads_to_the_accounts(person: Visitor) -> None:
    """
    Service accounts stand in the menu of the person at the bottom, and not in the navigation.
    """
    page = person.go("/")
    expect(
        page.get_by_role("navigation", name="Main").get_by_role("link", name="Service accounts")
    ).to_have_count(0)
    page.get_by_role("button", name="Your menu").locator("visible=true").click()
    page.get_by_role("link", name="Service accounts").locator("visible=true").click()

    expect(page.get_by_role("heading", level=1, name="Service accounts")).to_be_visible()


def test_PL9_the_form_has_name_and_copy_permissions_from(person: Visitor, organization: Organization) -> None:
    """
    A new account takes its permissions from another one that the form names.
    """
    model = organization.account("Model")
    organization.grant(model, "company:read")
    page = person.go("/accounts")
    page.get_by_role("link", name="Create service account").first.click()
    page.get_by_label("Name required").fill("Copy")
    page.get_by_label("Copy permissions from an account").fill(model["id"])
    if (wanted := page.get_by_label("Issue it now")).count():
        wanted.uncheck()
    page.get_by_role("button", name="Create service account").click()
    expect(page.get_by_role("heading", level=1, name="Copy")).to_be_visible()
    page.get_by_role("navigation", name="Parts of Copy").get_by_role("link", name="Permissions").click()

    expect(page.get_by_text("company:read").first).to_be_visible()


def test_PL12_an_account_has_info_permissions_and_logs(person: Visitor, organization: Organization) -> None:
    """
    The tabs of an account are called as there, stand first in this order, and each opens.
    """
    account = organization.account("Tabbed")
    page = person.go(f"/accounts/{account['id']}")
    tabs = page.get_by_role("navigation", name="Parts of Tabbed")
    assert ["Info", "Permissions", "Logs"] == tabs.get_by_role("link").all_inner_texts()[:3]
    for name in ("Permissions", "Logs", "Info"):
        tabs.get_by_role("link", name=name).click()
        expect(tabs.get_by_role("link", name=name)).to_have_attribute("aria-current", "page")


def test_PL14_a_token_is_generated_from_the_account(person: Visitor, organization: Organization) -> None:
    """
    The account's page generates a token, which is shown once and works.
    """
    account = organization.account("Tokened")
    page = person.go(f"/accounts/{account['id']}")
    page.get_by_role("link", name="Generate API access token").first.click()
    press(page, "Generate API access token")

    assert "allowed" == organization.awaited(keep(page))


def test_PL16_switch_of_a_row_disables_and_enables(person: Visitor, organization: Organization) -> None:
    """
    The switch in the list acts at once and asks nothing; the account's token follows it.
    """
    token = organization.key(organization.account("Switched"))["token"]
    page = person.go("/accounts?search=Switched")
    page.get_by_role("switch").click()
    expect(page.get_by_role("switch")).not_to_be_checked()
    expect(page.get_by_role("dialog")).to_have_count(0)
    off = organization.decide(token)
    page.get_by_role("switch").click()
    expect(page.get_by_role("switch")).to_be_checked()

    assert ["account_disabled", "allowed"] == [off, organization.awaited(token)]


def test_PL17_an_account_is_deleted_from_the_list(person: Visitor, organization: Organization) -> None:
    """
    The bin in its row deletes the account; it leaves the list, and its token ends. The row speaks of tokens.
    """
    token = organization.key(organization.account("Binned"))["token"]
    page = person.go("/accounts?search=Binned")
    expect(row_of(page, "Binned").get_by_role("link", name="1 API access token")).to_be_visible()
    row_of(page, "Binned").get_by_role("link", name="Delete Binned").click()
    press(page, "Delete")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page = person.go("/accounts?search=Binned")

    expect(page.get_by_text("0 match", exact=False)).to_be_visible()
    assert "allowed" != organization.decide(token)


def test_PL18_the_name_in_a_row_opens_the_account(person: Visitor, organization: Organization) -> None:
    """
    The name of an account in the list opens it.
    """
    organization.account("Opened")
    page = person.go("/accounts")
    row_of(page, "Opened").get_by_role("link", name="Opened", exact=True).click()

    expect(page.get_by_role("heading", level=1, name="Opened")).to_be_visible()
