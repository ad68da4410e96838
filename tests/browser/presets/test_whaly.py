"""Whaly: what its users find in the console, in a browser."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.presets.steps import choose, keep, press, row_of
from tests.browser.visitor import Visitor
from tests.conformance.server import Organization
from tests.support.requirements import requires

pytestmark = requires("chromium")


def test_WH9_accounts_have_a_place_of_their_own(person: Visitor) -> None:
    """
    The navigation leads to the service accounts, apart from the users of the workspace.
    """
    page = person.go("/")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Service accounts").click()

    expect(page.get_by_role("heading", level=1, name="Service accounts")).to_be_visible()
    expect(page.get_by_text("Vera Visitor", exact=False).locator("visible=true")).to_have_count(1)


def test_WH10_list_offers_to_create_one(person: Visitor, organization: Organization) -> None:
    """
    The list shows the service accounts that are there, and a button that creates one.
    """
    organization.account("Listed")
    page = person.go("/accounts")

    expect(row_of(page, "Listed").get_by_role("link", name="Listed", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Create service account")).to_be_visible()


def test_WH11_button_opens_the_form(person: Visitor) -> None:
    """
    The button leads to a form with name and role, which makes the account and shows its key once.
    """
    page = person.go("/accounts")
    page.get_by_role("link", name="Create service account").first.click()
    page.get_by_label("Name required").fill("Made here")
    page.get_by_role("checkbox", name=re.compile("^Viewer")).check()
    page.get_by_role("button", name="Create service account").click()
    keep(page)

    expect(page.get_by_role("heading", level=1, name="Made here")).to_be_visible()


def test_WH17_menu_of_a_row_manages_its_keys(person: Visitor, organization: Organization) -> None:
    """
    The menu of an account's row has the entry *Manage keys*, which leads to its keys.
    """
    account = organization.account("Managed")
    organization.key(account, name="of-the-menu")
    page = person.go("/accounts?search=Managed")
    choose(page, "Managed", "Manage keys")

    expect(row_of(page, "of-the-menu")).to_be_visible()


def test_WH18_keys_screen_lists_obfuscates_removes_and_issues(
    person: Visitor, organization: Organization
) -> None:
    """
    The screen of an account's keys shows each without its token, issues one, and removes one.
    """
    account = organization.account("Keyed")
    issued = organization.key(account, name="prod")
    page = person.go(f"/accounts/{account['id']}/keys")
    expect(row_of(page, "prod").get_by_text(issued["key"]["display"])).to_be_visible()
    assert issued["token"] not in page.content()
    page.get_by_role("link", name="Issue key").first.click()
    page.get_by_role("dialog").get_by_label("Name", exact=False).first.fill("second")
    press(page, "Issue key")
    keep(page)
    expect(row_of(page, "second")).to_be_visible()
    choose(page, "prod", "Remove…")
    press(page, "Remove")

    expect(row_of(page, "prod")).to_contain_text("Revoked")
    assert "credential_revoked" == organization.decide(issued["token"])


def test_WH25_a_revoked_key_stops_at_once(person: Visitor, organization: Organization) -> None:
    """
    When the page says since when the revoke holds, the node denies the key already.
    """
    account = organization.account("Stopped")
    issued = organization.key(account, name="leaked")
    page = person.go(f"/accounts/{account['id']}/keys")
    assert "allowed" == organization.decide(issued["token"])
    choose(page, "leaked", "Remove…")
    page.get_by_label("Compromised: final, never restored").check()
    press(page, "Remove")
    expect(page.get_by_text("Holds since")).to_be_visible()

    assert "credential_revoked" == organization.decide(issued["token"])
