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
