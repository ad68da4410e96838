"""Qualytics: what its users find in the console, in a browser."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.presets.steps import choose, keep, press, row_of
from tests.browser.visitor import Visitor
from tests.conformance.server import Organization
from tests.support.requirements import requires

pytestmark = requires("chromium")


def test_QU9_the_page_says_which_of_the_two(person: Visitor) -> None:
    """
    Who looks at their own tokens reads that what runs without them wants a service account.
    """
    page = person.go("/")
    page.get_by_role("button", name="Your menu").locator("visible=true").click()
    page.get_by_role("link", name="Personal API tokens").locator("visible=true").click()

    expect(page.get_by_text("Does it run without you? Then it wants a service account")).to_be_visible()


def test_QU16_users_create_accounts_and_generate_tokens(person: Visitor, organization: Organization) -> None:
    """
    The page of users in the settings leads to the form of an account, and generates a token from its row.
    """
    organization.account("among-users")
    page = person.go("/")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Settings").click()
    page.wait_for_url("**/settings**")
    if (users := page.get_by_role("main").get_by_role("link", name="Users", exact=True)).count():
        users.first.click()
    expect(page.get_by_role("link", name="Create service account")).to_be_visible()
    expect(row_of(page, "among-users")).to_contain_text("Service account")
    row_of(page, "among-users").get_by_role("link", name="Generate service token").click()
    press(page, "Generate service token")

    assert "allowed" == organization.awaited(keep(page))


def test_QU17_tokens_of_services_are_a_filter(person: Visitor, organization: Organization) -> None:
    """
    The page of all tokens has a filter by kind; by it the tokens of service accounts stand alone.
    """
    organization.key(organization.account("filtered"), name="of-a-service")
    page = person.go("/me/tokens/new")
    page.get_by_label("Name", exact=False).first.fill("of-a-person")
    page.get_by_role("button", name="Generate").last.click()
    keep(page)
    expect(row_of(page, "of-a-person")).to_be_visible()
    page = person.go("/credentials")
    expect(row_of(page, "of-a-service")).to_be_visible()
    page.get_by_role("search", name="Filters").get_by_label("Kind").select_option("api_key")
    page.get_by_role("button", name="Filter", exact=True).click()

    expect(row_of(page, "of-a-person")).to_have_count(0)
    expect(row_of(page, "of-a-service")).to_be_visible()


def test_QU18_menu_of_a_token_revokes_and_deletes(person: Visitor, organization: Organization) -> None:
    """
    The menu of a token revokes it; the token that is revoked can then be deleted, and leaves the list.
    """
    account = organization.account("menu")
    token = organization.key(account, name="to-end")["token"]
    page = person.go("/credentials?search=to-end")
    choose(page, "to-end", "Revoke…")
    press(page, "Revoke")
    expect(row_of(page, "to-end")).to_contain_text("Revoked")
    assert "credential_revoked" == organization.decide(token)
    choose(page, "to-end", "Delete…")
    press(page, "Delete")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page = person.go(f"/accounts/{account['id']}/keys")

    expect(row_of(page, "to-end")).to_have_count(0)
