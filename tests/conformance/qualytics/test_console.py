"""Qualytics: what its users find in the console."""

from __future__ import annotations

from tests.conformance.console import Visitor


def test_QU9_the_page_says_which_of_the_two(visitor: Visitor) -> None:
    """
    Who looks at their own tokens reads that what runs without them wants a service account.
    """
    assert "Does it run without you? Then it wants a service account" in visitor.see("/me/tokens")


def test_QU17_tokens_of_services_are_a_filter(visitor: Visitor) -> None:
    """
    The page of all tokens has a filter by kind; by it the tokens of service accounts stand alone.
    """
    account = visitor.organization.account("filtered")
    visitor.organization.key(account, name="of-a-service")
    visitor.fill("/me/tokens/new", key_name="of-a-person", expires="30d")
    services, people = visitor.see("/credentials?kind=api_key"), visitor.see("/me/tokens")

    assert '<option value="api_key" selected>' in services
    assert "of-a-service" in services
    assert "of-a-person" not in services
    assert "of-a-person" in people


def test_QU18_menu_of_a_token_revokes_and_deletes(visitor: Visitor) -> None:
    """
    The menu of a token revokes it; the token that is revoked can then be deleted, and leaves the list.
    """
    account = visitor.organization.account("menu")
    key = visitor.organization.key(account, name="to-end")["key"]
    visitor.fill(f"/keys/{key['id']}/do/revoke", cause="no_longer_needed")
    revoked = visitor.see("/credentials?search=to-end")
    visitor.fill(f"/keys/{key['id']}/do/delete", reason="done")

    assert f"/keys/{key['id']}/do/delete" in revoked
    assert "to-end" not in visitor.see(f"/accounts/{account['id']}/keys")


def test_QU16_users_create_accounts_and_generate_tokens(visitor: Visitor) -> None:
    """
    The page of users in the settings has service accounts among them with a badge, creates one, and generates a
    token from its row.
    """
    account = visitor.organization.account("among-users")
    page = visitor.see("/settings/users")
    services = visitor.see("/settings/users?kind=service_account")
    shown = visitor.fill(f"/accounts/{account['id']}/keys/new", key_name="a", expires="30d")

    assert f'href="/o/{visitor.organization.handle}/accounts/new"' in page
    assert "Vera Visitor" in page
    assert "Vera Visitor</a>" not in services
    assert "Service account</span>" in services
    assert f"/accounts/{account['id']}/keys/new" in services
    assert "Copy this token now. It is shown once." in shown
