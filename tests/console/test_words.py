"""The words of a preset are those of every page: what its product does not call a key is called so nowhere."""

from __future__ import annotations

import re

import pytest

from retinue.server.credentials import actions as credentials
from retinue.server.credentials import rotation
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.console.browser import Browser
from tests.console.people import account_of, make_person

#: What a program reads, addresses, and the list of keyboard shortcuts.
_NOT_READ = re.compile(
    r'<dialog id="keys-help".*?</dialog>|<code\b.*?</code>|<pre\b.*?</pre>|<script.*?</script>|<head>.*?</head>',
    re.S,
)
_TAG = re.compile(r"<[^>]+>")
#: Names of events and of policies are those of the API.
_KEY = re.compile(r".{0,30}\bkeys?\b(?!\.[\w*]| key\.).{0,30}", re.I)
PAGES = (
    "", "accounts", "accounts?view=attention", "accounts/new", "credentials", "credentials/identify", "findings",
    "requests", "audit", "access/roles", "access/groups", "access/explain", "reviews", "reviews/new", "settings",
    "settings/users", "settings/protect", "settings/notifications",
    "accounts/{account}", "accounts/{account}/keys", "accounts/{account}/keys/new", "accounts/{account}/access",
    "accounts/{account}/requests", "accounts/{account}/audit", "accounts/{account}/settings",
    "accounts/{account}/do/disable", "accounts/{account}/do/delete", "accounts/{account}/do/duplicate",
    "accounts/{account}/rotate-all",
    "keys/{old}/handover", "keys/{old}/do/finish", "keys/{new}/do/rotate", "keys/{new}/do/revoke",
    "keys/{new}/do/expire", "keys/{new}/do/rename", "keys/{new}/do/restrict",
)  # fmt: skip


@pytest.mark.one_database
@pytest.mark.parametrize("preset", ["planhat", "wavefront"])
def test_no_page_says_key_where_the_product_does_not(
    preset: str, browser: Browser, server_database: str
) -> None:
    """In text, labels and titles of all pages and dialogs of an account whose credential is being rotated."""
    person = make_person(preset=preset, roles=("owner",))
    account = account_of(person, "etl-words")
    with transaction(SYSTEM, reason="test") as tx:
        old = credentials.issue(tx, account, name="prod").credential
    with transaction(SYSTEM, reason="test") as tx:
        new = rotation.rotate(tx, old).credential
    browser.sign_in(person.email, person.password)
    said = {}
    for page in PAGES:
        path = page.format(account=account.id, old=old.id, new=new.id)
        answer = browser.get(f"/o/{person.principal.organization.handle}/{path}")
        assert 200 == answer.status_code, page
        text = _NOT_READ.sub("", answer.content.decode())
        labels = " ".join(re.findall(r'(?:aria-label|title|placeholder)="([^"]*)"', text))
        found = _KEY.findall(" ".join(f"{_TAG.sub(' ', text)} {labels}".split()))
        if found:
            said[page] = found

        assert {} == said
