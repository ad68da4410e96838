"""What is found about an account stands on its page, with what is about its keys."""

from __future__ import annotations

from retinue.server.governance.rules import KINDS
from tests.console.browser import Browser
from tests.console.people import account_of, make_person, set_policy
from tests.server_support.findings import look


def test_an_account_shows_what_is_found_about_it(browser: Browser, server_database: str) -> None:
    """
    The page of an account lists its own findings, and no other account's; the list of all says as of when.
    """
    person = make_person()
    set_policy(person, {"accounts.name_pattern": "svc-.*"})
    handle = person.principal.organization.handle
    account, fine = (
        account_of(person, "etl", purpose="a test"),
        account_of(person, "svc-fine", purpose="a test"),
    )
    look(person.principal.organization_id)
    browser.sign_in(person.email, person.password)
    meaning = KINDS["naming"].meaning
    shown = [
        meaning in browser.get(f"/o/{handle}/accounts/{each.id}").content.decode().replace("&#x27;", "'")
        for each in (account, fine)
    ]
    listed = browser.get(f"/o/{handle}/findings?account={account.id}").content.decode()

    assert [True, False] == shown
    assert (True, False) == (account.id in listed, fine.id in listed)
    assert "Looked for" in listed
