"""Planhat: what its users find in the console."""

from __future__ import annotations

import re

from tests.conformance.console import Visitor


def test_PL9_the_form_has_name_and_copy_permissions_from(visitor: Visitor) -> None:
    """
    A new account takes its permissions from another one, if the form names it.
    """
    model = visitor.organization.account("Model")
    visitor.organization.grant(model, "company:read")
    form = visitor.see("/accounts/new")
    visitor.fill("/accounts/new", name="Copy", copy_from=model["id"])
    found = visitor.organization.admin.get("/v1/service-accounts", search="Copy")["items"]
    held = visitor.organization.admin.get(f"/v1/service-accounts/{found[0]['id']}/permissions")["items"]

    assert "Copy permissions from an account" in form
    assert ["company:read"] == [each["permission"] for each in held]


def test_PL12_an_account_has_info_permissions_and_logs(visitor: Visitor) -> None:
    """
    The tabs of an account are called as there.
    """
    account = visitor.organization.account("Tabbed")
    tabs = re.search(r'aria-label="Parts of Tabbed">(.*?)</nav>', visitor.see(f"/accounts/{account['id']}"))
    assert tabs is not None
    words = [each.strip() for each in re.findall(r">([A-Za-z ]+)<", tabs[1]) if each.strip()]

    assert ["Info", "Permissions", "Logs"] == [
        each for each in words if each in ("Info", "Permissions", "Logs")
    ]


def test_PL14_a_token_is_generated_from_the_account(visitor: Visitor) -> None:
    """
    The account's page generates a token, which is shown once.
    """
    account = visitor.organization.account("Tokened")
    place = f"/accounts/{account['id']}"

    assert "Generate API access token</a>" in visitor.see(place)
    assert "Copy this token now. It is shown once." in visitor.fill(
        f"{place}/keys/new", key_name="a", expires="never"
    )


def test_PL16_switch_of_a_row_disables_and_enables(visitor: Visitor) -> None:
    """
    The switch in the list is a form of one click, without a question; the account's token follows it at once.
    """
    account = visitor.organization.account("Switched")
    token = visitor.organization.key(account)["token"]
    row = visitor.see("/accounts?search=Switched")
    visitor.fill("/accounts", to=f"/accounts/{account['id']}/do/disable")
    off = visitor.organization.decide(token)
    visitor.fill("/accounts", to=f"/accounts/{account['id']}/do/enable")

    assert re.search(rf'<form method="post" action="[^"]+/{account["id"]}/do/disable">.*?role="switch"', row)
    assert ["account_disabled", "allowed"] == [off, visitor.organization.awaited(token)]


def test_PL17_an_account_is_deleted_from_the_list(visitor: Visitor) -> None:
    """
    The menu of a row deletes the account; it leaves the list, and its token ends.
    """
    account = visitor.organization.account("Binned")
    token = visitor.organization.key(account)["token"]
    row = visitor.see("/accounts?search=Binned")
    visitor.fill(f"/accounts/{account['id']}/do/delete", reason="left over")

    assert f"/accounts/{account['id']}/do/delete" in row
    assert ">Binned</a>" not in visitor.see("/accounts?search=Binned")
    assert "allowed" != visitor.organization.decide(token)


def test_PL18_the_name_in_a_row_opens_the_account(visitor: Visitor) -> None:
    """
    The name of an account in the list is the link to its page.
    """
    account = visitor.organization.account("Opened")

    assert f'href="/o/{visitor.organization.handle}/accounts/{account["id"]}">Opened</a>' in visitor.see(
        "/accounts"
    )


def test_PL7_the_menu_of_the_avatar_leads_to_the_accounts(visitor: Visitor) -> None:
    """
    Service accounts stand in the menu of the person, at the bottom, and neither in the navigation nor among users.
    """
    visitor.organization.account("Apart")
    page = visitor.see("/")
    navigation, _sep, menu = page.partition('<div class="person">')
    link = f'href="/o/{visitor.organization.handle}/accounts"'

    assert "Service accounts</a>" in menu
    assert link in menu
    assert f'<a class="nav-link" {link}' not in navigation
    assert "Apart" not in visitor.see("/settings/users")
