"""What the menus of rows offer: a copy of an account, its entry as YAML, a replacement of an ended key."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import yaml
from django.utils import timezone

from retinue.server.credentials import actions as credentials
from retinue.server.credentials.queries import Credential
from retinue.server.directory.queries import Principal
from retinue.server.ledger.guard import suspended_for_schema_changes
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.console.browser import Browser
from tests.console.people import Person, account_of, colleague, make_person


def _path(person: Person, rest: str = "accounts") -> str:
    return f"/o/{person.principal.organization.handle}/{rest}"


def _key(person: Person, account: Principal, name: str, **fields: Any) -> Credential:
    with transaction(SYSTEM, reason="test") as tx:
        made = credentials.issue(tx, account, name=name, restrictions={"networks": ["10.0.0.0/8"]}).credential
    with suspended_for_schema_changes():
        Credential.objects.filter(id=made.id).update(**fields)
    return made


def test_an_account_is_duplicated_from_its_menu(signed_in: Browser, person: Person) -> None:
    """
    The copy has the name that was given and the fields of the first, and its page follows.
    """
    made = account_of(person, "etl", environment="prod")
    path = _path(person, f"accounts/{made.id}/do/duplicate")
    led = signed_in.fill(path, key_name="etl two", reason="a second region")
    copy = Principal.objects.get(organization=person.principal.organization, name="etl two")

    assert path in signed_in.text(_path(person))
    assert (303, _path(person, f"accounts/{copy.id}")) == (led.status_code, led["Location"])
    assert "prod" == copy.environment


def test_an_entry_as_yaml_is_that_of_the_document(signed_in: Browser, person: Person) -> None:
    """
    What is copied is the account's entry of the organization's document; an account elsewhere has none.
    """
    made, foreign = account_of(person, "etl"), account_of(make_person(), "foreign")
    page = signed_in.get(_path(person, f"accounts/{made.id}/yaml")).content.decode()
    text = page.partition("<code>service_accounts")[2].partition("</code>")[0]
    [entry] = yaml.safe_load(f"service_accounts{text}".replace("&#x27;", "'"))["service_accounts"]

    assert ("etl", "a test", [person.email]) == (entry["handle"], entry["purpose"], entry["owners"])
    assert 404 == signed_in.get(_path(person, f"accounts/{foreign.id}/yaml")).status_code


def test_who_may_not_export_sees_why(signed_in: Browser, person: Person) -> None:
    """
    Without the permissions of the whole document the page says which are missing, and shows nothing.
    """
    made = account_of(person, "etl")
    other = colleague(person, "eve", roles=("member",))
    browser = Browser()
    browser.sign_in(other.email, other.password)
    page = browser.text(_path(person, f"accounts/{made.id}/yaml"))

    assert "You may not do this. It needs:" in page
    assert "a test" not in page


def test_an_expired_key_is_replaced_from_its_row(signed_in: Browser, person: Person) -> None:
    """
    The form of the replacement has the old key's name with this month, and its restrictions.
    """
    account = account_of(person, "etl")
    ended = timezone.now() - timedelta(days=2)
    old = _key(person, account, "prod-2026-01", expires_at=ended, has_expired=True)
    page = signed_in.text(_path(person, f"accounts/{account.id}/keys"))
    form = signed_in.text(_path(person, f"accounts/{account.id}/keys/new?replaces={old.id}"))

    assert f"?replaces={old.id}" in page
    assert f'value="prod-{timezone.now():%Y-%m}"' in form
    assert 'value="10.0.0.0/8"' in form


def test_form_of_a_key_names_the_next_free_name(signed_in: Browser, person: Person) -> None:
    """
    Untouched, the form can be sent more than once a month: a name that is taken gets the next number.
    """
    account = account_of(person, "etl")
    path, month = _path(person, f"accounts/{account.id}/keys/new"), f"etl-{timezone.now():%Y-%m}"
    first = signed_in.text(path)
    _key(person, account, month)
    _key(person, account, f"{month}-2".upper())

    assert f'value="{month}"' in first
    assert f'value="{month}-3"' in signed_in.text(path)


def test_what_ended_long_ago_is_hidden_and_counted(signed_in: Browser, person: Person) -> None:
    """
    A key that ended more than 30 days ago is not in the list until it is asked for, and the list says how many.
    """
    account = account_of(person, "etl")
    now = timezone.now()
    _key(person, account, "ancient", expires_at=now - timedelta(days=40), has_expired=True)
    _key(person, account, "recent", expires_at=now - timedelta(days=3), has_expired=True)
    path = _path(person, f"accounts/{account.id}/keys")
    page, all_ = signed_in.text(path), signed_in.text(f"{path}?older=yes")

    assert "1 older hidden" in page
    assert ("ancient" in page, "recent" in page) == (False, True)
    assert ("ancient" in all_, "recent" in all_) == (True, True)
