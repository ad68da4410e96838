"""What is found about an account stands on its page, with what is about its keys."""

from __future__ import annotations

from django.utils.html import escape

from retinue.server.governance.rules import KINDS
from tests.console.browser import Browser
from tests.console.people import account_of, make_person, set_policy
from tests.server_support.findings import look


def test_an_account_shows_what_is_found_about_it(browser: Browser, server_database: str) -> None:
    """
    The page of an account fetches its own findings, and no other account's; the list says as of when.
    """
    person = make_person()
    pages = f"/o/{person.principal.organization.handle}"
    account = account_of(person, "etl", purpose="a test")
    fine = account_of(person, "svc-fine", purpose="a test")
    set_policy(person, {"accounts.name_pattern": "svc-.*"})
    look(person.principal.organization_id)
    browser.sign_in(person.email, person.password)
    shown = [
        escape(KINDS["naming"].meaning) in browser.text(f"{pages}/accounts/{each.id}/findings")
        for each in (account, fine)
    ]
    whole = browser.text(f"{pages}/accounts/{account.id}")
    listed = browser.text(f"{pages}/findings?account={account.id}")

    assert [True, False] == shown
    assert f"{pages}/accounts/{account.id}/findings" in whole
    assert (True, False) == (account.id in listed, fine.id in listed)
    assert "Looked for" in listed
