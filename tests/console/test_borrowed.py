"""What the console shows of other parts' texts is German on a German page, and English as the API has it else."""

from __future__ import annotations

import pytest
from django.utils import translation
from django.utils.html import escape

from retinue.server.access.roles import ROLES
from retinue.server.console import borrowed
from retinue.server.governance.rules import KINDS
from retinue.server.ledger.catalogue import EVENTS
from retinue.server.policies.keys import KEYS
from tests.console.browser import Browser
from tests.console.people import account_of, make_person, set_policy
from tests.server_support.findings import look

#: Places, each with a text that it shows in this organization.
PAGES = {
    "": EVENTS["account.created"].meaning,
    "audit": EVENTS["account.created"].meaning,
    "findings": KINDS["naming"].meaning,
    "accounts/{account}/findings": KINDS["naming"].meaning,
    "policies": KEYS["idle.days"].meaning,
    "access/roles": ROLES["auditor"].description,
    "accounts/{account}/audit": EVENTS["account.created"].meaning,
}
#: The audit log shows values as they were recorded: each role as it was created.
_RECORDED = {role.description for role in ROLES.values()}


def _as_shown(text: str) -> str:
    return str(escape(text.rstrip(".")))


def _english(page: str) -> set[str]:
    """Return the borrowed texts that a page shows in English; single words only where they stand alone."""
    return {text for text in borrowed.texts() if (_as_shown(text) if " " in text else f">{text}<") in page}


def test_every_text_of_the_registries_has_its_german() -> None:
    """
    No event, finding, severity, policy key or native role is without German, and none is given back as it is in English.
    """
    with translation.override("de"):
        assert [] == [text for text in borrowed.texts() if borrowed.said(text) == text]
    with translation.override("en"):
        assert [] == [text for text in borrowed.texts() if borrowed.said(text) != text]


def test_what_a_person_wrote_is_not_translated() -> None:
    """
    A text that no registry has stays as it is, though the console has German for it.
    """
    with translation.override("de"):
        assert ("Löschen", "Delete") == (translation.gettext("Delete"), borrowed.said("Delete"))
        assert "" == borrowed.said("")


@pytest.mark.one_database
def test_pages_show_borrowed_texts_in_german(browser: Browser) -> None:
    """
    Home, audit log, findings, policies, roles and the account's own pages have no English sentence on a German page.
    """
    person = make_person()
    account = account_of(person, "etl", purpose="a test")
    set_policy(person, {"accounts.name_pattern": "svc-.*"})
    look(person.principal.organization_id)
    browser.sign_in(person.email, person.password)
    for place, text in PAGES.items():
        path = f"/o/{person.principal.organization.handle}/{place.format(account=account.id)}"
        german = browser.get(path, **{"accept-language": "de"}).content.decode()
        with translation.override("de"):
            assert _as_shown(borrowed.said(text)) in german, path
        assert set() == _english(german) - (_RECORDED if "audit" in place else set()), path
        assert text in _english(browser.text(path)), path


@pytest.mark.one_database
def test_refusal_is_told_in_german_beside_its_field(browser: Browser, server_database: str) -> None:
    """
    What is wrong is said in German, with the rule as the API has it after it; on an English page the rule alone.
    """
    person = make_person()
    browser.sign_in(person.email, person.password)
    account_of(person, "etl-twice")
    path = f"/o/{person.principal.organization.handle}/accounts/new"
    fields = {"name": "etl-twice", "purpose": "x", "owners": person.email}
    english = browser.fill(path, **fields).content.decode()
    browser.client.cookies["retinue-language"] = "de"
    german = browser.fill(path, **fields).content.decode()

    assert "The name is taken" not in english
    assert "Der Name ist vergeben: " in german
