"""How many statements each page sends to the database, where there is much of everything."""

from __future__ import annotations

from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.console.addresses import names, pages
from tests.console.browser import Browser
from tests.console.crowd import crowd
from tests.console.forms import without_scripts
from tests.server_support.findings import follow, look

MOST = 15


def test_a_page_of_findings_asks_as_little_just_after_a_change(
    browser: Browser, server_database: str
) -> None:
    """
    Between a change and the look at whom it is about, pages that show findings send no more than 15 statements,
    say what was found before, and (the list) that more follows; after the look they say what is found now.
    """
    made = crowd(server_database)
    browser.sign_in(made.person.email, made.person.password)
    organization = made.person.principal.organization
    look(organization.id)
    account = made.ids["account_id"]
    pages = f"/o/{organization.handle}"
    shown = (f"{pages}/findings", f"{pages}/findings/counts", f"{pages}/accounts/{account}/findings")
    query, follows = f"?kind=undocumented&account={account}", "What is found about it follows"
    before = browser.text(shown[0] + query)
    made.call(
        "update_service_account", path={"account_id": account}, documentation="https://docs.example/job"
    )
    often = {}
    for path in (*shown, shown[0] + query):
        with CaptureQueriesContext(connection) as sent:
            page = browser.get(path)
        assert page.status_code == 200, path
        if len(sent) > MOST:
            often[path] = len(sent)
    just_after = browser.text(shown[0] + query)
    follow()
    after = browser.text(shown[0] + query)
    made.call("update_service_account", path={"account_id": account}, documentation="")
    follow()

    assert {} == often
    link = f'/accounts/{account}"'
    assert (True, True, False) == tuple(link in text for text in (before, just_after, after))
    assert (False, True, False) == tuple(follows in text for text in (before, just_after, after))


def test_no_page_asks_often(browser: Browser, server_database: str) -> None:
    """
    No page sends more than 15 statements, however many rows it shows and whatever columns are chosen. And each form
    of each page can be sent without scripts; without its token it is refused.
    """
    made = crowd(server_database)
    browser.sign_in(made.person.email, made.person.password)
    often, seen, sent_only = {}, set(), set()
    forms, scripted = set(), {}
    for name, path in pages(made):
        with CaptureQueriesContext(connection) as sent:
            page = browser.get(path)
        if page.status_code == 405:
            sent_only.add(name)
            continue
        assert page.status_code < 400, (path, page.status_code)
        seen.add(name)
        if len(sent) > MOST:
            often[path] = len(sent)
        sends, wrong = without_scripts(path, page.getvalue().decode())
        forms |= sends
        if wrong:
            scripted[path] = wrong

    assert {} == often
    assert {} == scripted
    assert 50 < len(forms)
    assert {} == {path: answer for path in forms if (answer := browser.post(path).status_code) != 403}
    assert names() == seen | sent_only
