"""Precisely: what its users find in the console."""

from __future__ import annotations

from tests.conformance.console import Visitor


def test_PR10_create_or_create_another(visitor: Visitor) -> None:
    """
    The form has both buttons; *Create another* makes the user and comes back to an empty form.
    """
    form = visitor.see("/accounts/new")
    again = visitor.fill("/accounts/new", name="First one", another="yes")

    assert "Create service user</button>" in form
    assert "Create another</button>" in form
    assert "First one was created." in again
    assert 'name="name" value=""' in again


def test_PR13_menu_of_a_row_leads_to_edit_and_save(visitor: Visitor) -> None:
    """
    A service user is opened from its row, changed, and saved.
    """
    account = visitor.organization.account("Edited")
    row = visitor.see("/accounts?search=Edited")
    place = f"/accounts/{account['id']}"
    seen = {"seen_name": "Edited", "name": "Edited", "description": "new words"}
    saved = visitor.fill(f"{place}/settings", to=f"{place}/save", **seen)

    assert f'href="/o/{visitor.organization.handle}{place}"' in row
    assert "Saved." in saved
    assert (
        "new words" == visitor.organization.admin.get(f"/v1/service-accounts/{account['id']}")["description"]
    )


def test_PR21_details_have_the_section_of_api_keys(visitor: Visitor) -> None:
    """
    The page of a service user has its API keys with *Generate API key*, which shows the secret once.
    """
    account = visitor.organization.account("Generated")
    place = f"/accounts/{account['id']}/keys"

    assert "Generate API key</a>" in visitor.see(place)
    assert "Copy this token now. It is shown once." in visitor.fill(
        f"{place}/new", key_name="a", expires="never"
    )


def test_PR5_users_tab_creates_a_service_user(visitor: Visitor) -> None:
    """
    The tab of users lists service users beside people, and creates one.
    """
    visitor.organization.account("Beside people")
    page = visitor.see("/settings/users")

    assert "Beside people</a>" in page
    assert "Vera Visitor</a>" in page
    assert "Create service user" in page


def test_PR14_details_groups_roles_and_policies_are_editable(visitor: Visitor) -> None:
    """
    A service user's details, groups, roles and security policies change by the forms of its page.
    """
    admin = visitor.organization.admin
    account = visitor.organization.account("Editable")
    place = f"/accounts/{account['id']}"
    role = admin.post("/v1/roles", name="Readers", permissions=["dataset:read"])
    group = admin.post("/v1/groups", name="Analysts")
    policy = admin.post("/v1/access-policies", name="Readers rule", roles=[role["handle"]])
    seen = {"seen_name": "Editable", "name": "Edited now"}
    visitor.fill(f"{place}/settings", to=f"{place}/save", **seen)
    visitor.fill(f"{place}/access", to=f"{place}/collections", kind="group", id=group["id"])
    visitor.fill(f"{place}/access", to=f"{place}/roles", roles=role["handle"])
    page = visitor.fill(f"{place}/access", to=f"{place}/collections", kind="policy", id=policy["id"])
    sources = admin.get(f"/v1/service-accounts/{account['id']}/permissions")["items"][0]["sources"]
    out = visitor.fill(
        f"{place}/access", to=f"{place}/collections", kind="group", id=group["id"], remove="yes"
    )

    assert "Edited now" in page
    assert "Analysts</a>" in page
    assert "Readers rule</a>" in page
    assert {"role", "policy"} == {each["kind"] for each in sources}
    assert "Analysts</a>" not in out
