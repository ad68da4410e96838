"""Precisely: what its users find in the console, in a browser."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.presets.steps import choose, keep, press, row_of
from tests.browser.visitor import Visitor
from tests.conformance.server import Organization
from tests.support.requirements import requires

pytestmark = requires("chromium")


def test_PR5_users_tab_creates_a_service_user(person: Visitor, organization: Organization) -> None:
    """
    The tab of users lists service users beside people, and leads to the form of a new one.
    """
    organization.account("Beside people")
    page = person.go("/")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Settings").click()
    page.wait_for_url("**/settings**")
    if (users := page.get_by_role("main").get_by_role("link", name="Users", exact=True)).count():
        users.first.click()
    expect(row_of(page, "Beside people")).to_be_visible()
    expect(row_of(page, "Vera Visitor")).to_be_visible()
    page.get_by_role("link", name="Create service user").click()

    expect(page.get_by_role("heading", level=1, name="Create service user")).to_be_visible()


def test_PR10_create_or_create_another(person: Visitor) -> None:
    """
    *Create another* makes the user and comes back to an empty form; *Create* leads to the new user.
    """
    page = person.go("/accounts/new")
    page.get_by_label("Name required").fill("First one")
    page.get_by_role("button", name="Create another").click()
    expect(page.get_by_text("First one was created.")).to_be_visible()
    expect(page.get_by_label("Name required")).to_have_value("")
    page.get_by_label("Name required").fill("Second one")
    page.get_by_role("button", name="Create service user").click()

    expect(page.get_by_role("heading", level=1, name="Second one")).to_be_visible()


def test_PR13_menu_of_a_row_leads_to_edit_and_save(person: Visitor, organization: Organization) -> None:
    """
    A service user is opened from the menu of its row, changed, and saved.
    """
    organization.account("Edited")
    page = person.go("/accounts?search=Edited")
    choose(page, "Edited", "Open")
    page.get_by_role("navigation", name="Parts of Edited").get_by_role("link", name="Settings").click()
    page.get_by_label("Description").fill("new words")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("Saved.")).to_be_visible()

    expect(row_of(person.go("/accounts?search=Edited"), "Edited")).to_contain_text("new words")


def test_PR14_details_groups_roles_and_policies_are_editable(
    person: Visitor, organization: Organization
) -> None:
    """
    A service user's details, groups, roles and security policies change by the forms of its page.
    """
    admin, account = organization.admin, organization.account("Editable")
    role = admin.post("/v1/roles", name="Readers", permissions=["dataset:read"])
    admin.post("/v1/groups", name="Analysts")
    admin.post("/v1/access-policies", name="Readers rule", roles=[role["handle"]])
    page = person.go(f"/accounts/{account['id']}/settings")
    page.get_by_label("Name", exact=False).first.fill("Edited now")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("heading", level=1, name="Edited now")).to_be_visible()
    page = person.go(f"/accounts/{account['id']}/access")
    page.get_by_role("checkbox", name="Readers", exact=False).first.check()
    page.get_by_role("button", name="Save roles").click()
    expect(page.get_by_text("The roles are saved.", exact=False)).to_be_visible()
    for name in ("Analysts", "Readers rule"):
        field = page.locator("select").filter(has=page.locator("option", has_text=name))
        field.select_option(label=name)
        field.locator("xpath=ancestor::form").get_by_role("button").click()
        expect(page.get_by_role("link", name=name)).to_be_visible()

    sources = admin.get(f"/v1/service-accounts/{account['id']}/permissions")["items"][0]["sources"]
    assert {"role", "policy"} == {each["kind"] for each in sources}


def test_PR21_details_have_the_section_of_api_keys(person: Visitor, organization: Organization) -> None:
    """
    The page of a service user has its API keys with *Generate API key*, which shows the secret once.
    """
    account = organization.account("Generated")
    page = person.go(f"/accounts/{account['id']}/keys")
    page.get_by_role("link", name="Generate API key").first.click()
    press(page, "Generate API key")
    keep(page)

    expect(page.locator("tbody tr")).to_have_count(1)
