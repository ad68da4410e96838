"""How many statements each page sends to the database, where there is much of everything."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import product

from django.db import connection
from django.test.utils import CaptureQueriesContext

from retinue.server.console import groups
from retinue.server.console.acts import ACCOUNT_ACTS, KEY_ACTS, MY_ACTS
from retinue.server.console.tables import TABLES
from retinue.server.console.urls import urlpatterns
from retinue.server.console.words import TABS
from tests.console.browser import Browser
from tests.console.crowd import Crowd, crowd
from tests.server_support.findings import follow, look

MOST = 15
#: Addresses without a page to read: forms that are only sent, files, what is read before the sign-in.
NO_PAGE = re.compile(
    r"theme/|language/|static/|docs/|login|logout|confirm|setup|invitation|.*/(save|grants|grants/change|notifications/.*/do/.*|nodes/measure|keep|roles/\w+/delete|clone|delete|remove|passkeys/.*/rename|put-away)$"
)
#: What an address may ask for besides.
QUERIES = {
    "console_why": ("", "?permission=thing1:read", "?permission=thing1:read&principal=job-1"),
    "console_group": tuple(f"?tab={name}" for name in groups.TABS if name != "resources"),
    "console_team": tuple(f"?tab={name}" for name in groups.TABS),
    "console_accounts": (
        "",
        "?columns=status,owner,groups,teams,created_by,last_reviewed,unused",
        "?saved={view_id}",
        "?view=attention",
        "?search=job&role=auditor",
        "?view=mine",
    ),
    "console_credentials": ("", "?status=active", "?account=job-1"),
    "console_requests": ("", "?decision=denied", "?account=job-1"),
    "console_account_handle": ("?name=job-1",),
}


def _values(made: Crowd, route: str, name: str) -> dict[str, tuple[str, ...]]:
    """Return what stands for each part of an address."""
    acts: dict[str, Iterable[str]] = {
        "console_account_act": ACCOUNT_ACTS,
        "console_key_act": KEY_ACTS,
        "console_my_token_act": MY_ACTS,
        "console_ingest_token_act": MY_ACTS,
        "console_table": TABLES,
    }
    return {
        "handle": (made.person.principal.organization.handle,),
        "tab": tuple(TABS),
        "name": tuple(acts.get(name, ())),
        "group_id": (made.ids["team" if name.startswith("console_team") else "group"],),
        **{key: (value,) for key, value in made.ids.items() if key.endswith("_id")},
        "key_id": (made.ids[_key(route, name)],),
        **(
            {"account_id": (made.ids["account_id"], made.ids["rotated"])} if name == "console_account" else {}
        ),
    }


def _queries(made: Crowd, name: str) -> tuple[str, ...]:
    return tuple(each.replace("{view_id}", made.ids["view_id"]) for each in QUERIES.get(name, ("",)))


def _key(route: str, name: str) -> str:
    if name == "console_handover":
        return "retiring"
    return "my_token" if "me/" in route else "ingest_token" if "ingest/" in route else "key_id"


def pages(made: Crowd) -> Iterator[tuple[str, str]]:
    """Yield the name and the address of every page that somebody who is signed in can open."""
    for pattern in urlpatterns:
        route, name = str(pattern.pattern), pattern.name or ""
        if NO_PAGE.match(route):
            continue
        parts = re.findall(r"<\w+:(\w+)>", route)
        values = _values(made, route, name)
        for chosen in product(*(values.get(part) or ("-",) for part in parts)):
            path = route
            for part, value in zip(parts, chosen, strict=True):
                path = re.sub(rf"<\w+:{part}>", value, path)
            yield from ((name, f"/{path}{query}") for query in _queries(made, name))


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
    No page sends more than 15 statements, however many rows it shows and whatever columns are chosen.
    """
    made = crowd(server_database)
    browser.sign_in(made.person.email, made.person.password)
    often, seen, sent_only = {}, set(), set()
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

    assert {} == often
    named = {each.name or "" for each in urlpatterns if not NO_PAGE.match(str(each.pattern))}
    assert named == seen | sent_only
