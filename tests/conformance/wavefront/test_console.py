"""Wavefront: what its users find in the console."""

from __future__ import annotations

from tests.conformance.console import Visitor


def test_WF8_account_management_creates_accounts(visitor: Visitor) -> None:
    """
    The place is called *Account management*, apart from users, and creates an account with its ``sa::`` handle.
    """
    text = visitor.see("/accounts")
    visitor.fill("/accounts/new", name="Loader")

    assert "<h1>Account management</h1>" in text
    assert "Create service account</a>" in text
    assert "sa::loader" in visitor.see("/accounts?search=loader")


def test_WF13_key_ids_are_copied_by_a_button(visitor: Visitor) -> None:
    """
    Each row of the tokens has a button that copies the key id; a token itself is copied where it is shown once.
    """
    account = visitor.organization.account("copied")
    key = visitor.organization.key(account)["key"]
    shown = visitor.fill(f"/accounts/{account['id']}/keys/new", key_name="a", expires="never")

    assert f'data-copy="{key["key_id"]}"' in visitor.see(f"/accounts/{account['id']}/keys")
    assert "data-copy-token" in shown


def test_WF18_menu_switch_and_name(visitor: Visitor) -> None:
    """
    The menu of a row deactivates an account, the switch of its page activates it again, its name opens the page.
    """
    account = visitor.organization.account("turned")
    token = visitor.organization.key(account)["token"]
    place = f"/accounts/{account['id']}"
    row = visitor.see("/accounts?search=turned")
    visitor.fill("/accounts", to=f"{place}/do/disable")
    off = visitor.organization.decide(token)
    page = visitor.see(place)
    visitor.fill(place, to=f"{place}/do/enable")

    assert "Deactivate…</a>" in row
    assert f'{place}">turned</a>' in row
    assert 'role="switch" aria-checked="false"' in page
    assert ["account_disabled", "allowed"] == [off, visitor.organization.awaited(token)]


def test_WF19_tokens_stand_on_the_create_and_the_edit_page(visitor: Visitor) -> None:
    """
    The form of a new account offers its first token, and the page of an account issues more.
    """
    account = visitor.organization.account("both")

    assert "First token" in visitor.see("/accounts/new")
    assert "Generate token</a>" in visitor.see(f"/accounts/{account['id']}")


def test_WF20_many_rows_are_chosen(visitor: Visitor) -> None:
    """
    Each row of the list can be chosen, and an act on the chosen ones changes those alone.
    """
    chosen, other = visitor.organization.account("chosen"), visitor.organization.account("other")
    text = visitor.see("/accounts")
    visitor.fill("/accounts", to="/accounts/bulk", act="disable", account=chosen["id"], sure="yes")
    listed = visitor.organization.admin.get("/v1/service-accounts", limit=100)["items"]
    states = {each["id"]: each["state"] for each in listed}

    assert f'type="checkbox" name="account" value="{chosen["id"]}"' in text
    assert ("disabled", "enabled") == (states[chosen["id"]], states[other["id"]])
