"""Whaly: what its users find in the console."""

from __future__ import annotations

import re

from tests.conformance.console import Visitor


def test_WH9_accounts_have_a_place_of_their_own(visitor: Visitor) -> None:
    """
    The service accounts of the workspace stand in the navigation of every page, apart from its users.
    """
    home = visitor.see("/")

    assert f'href="/o/{visitor.organization.handle}/accounts"' in home
    assert "<span>Service accounts</span>" in home


def test_WH10_list_offers_to_create_one(visitor: Visitor) -> None:
    """
    The list shows the service accounts that are there, and a button that creates one.
    """
    visitor.organization.account("Listed")
    text = visitor.see("/accounts")

    assert ">Listed</a>" in text
    assert "Create service account</a>" in text


def test_WH11_button_opens_the_form(visitor: Visitor) -> None:
    """
    The button leads to a form with name and role, which makes the account and shows its key.
    """
    made = visitor.fill("/accounts/new", name="Made here", roles="viewer", key="yes")

    assert "Copy this token now. It is shown once." in made
    assert ">Made here</a>" in visitor.see("/accounts")


def test_WH17_menu_of_a_row_manages_its_keys(visitor: Visitor) -> None:
    """
    The menu of an account's row has the entry *Manage keys*, which leads to its keys.
    """
    account = visitor.organization.account("Managed")
    text = visitor.see("/accounts?search=Managed")
    found = re.search(r'href="([^"]+)"[^>]*>(?:(?!</a>).)*Manage keys</a>', text)

    assert found is not None
    assert found[1].endswith(f"/accounts/{account['id']}/keys")


def test_WH18_keys_screen_lists_obfuscates_removes_and_issues(visitor: Visitor) -> None:
    """
    The screen of an account's keys shows each without its token, issues one, and removes one.
    """
    account = visitor.organization.account("Keyed")
    issued = visitor.organization.key(account, name="prod")
    place = f"/accounts/{account['id']}/keys"
    text = visitor.see(place)
    shown = visitor.fill(f"{place}/new", key_name="second", expires="never")
    visitor.fill(f"/keys/{issued['key']['id']}/do/revoke", cause="no_longer_needed")

    assert issued["key"]["display"] in text
    assert issued["token"] not in text
    assert "Copy this token now. It is shown once." in shown
    assert "second" in visitor.see(place)
    assert "credential_revoked" == visitor.organization.decide(issued["token"])


def test_WH25_a_revoked_key_stops_at_once(visitor: Visitor) -> None:
    """
    When the page has answered, the node denies the key, and the page says since when that holds.
    """
    account = visitor.organization.account("Stopped")
    issued = visitor.organization.key(account)
    before = visitor.organization.decide(issued["token"])
    after = visitor.fill(f"/keys/{issued['key']['id']}/do/revoke", cause="compromised")

    assert "allowed" == before
    assert "credential_revoked" == visitor.organization.decide(issued["token"])
    assert "Holds since" in after
