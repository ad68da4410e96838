"""The list of accounts, the form that makes one, and acts on many."""

from __future__ import annotations

import re
import secrets
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from retinue.server.console.accounts import VIEWS
from retinue.server.credentials import ending as credentials
from retinue.server.credentials.queries import keys
from retinue.server.directory import actions as directory
from retinue.server.directory.queries import Principal
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.console.browser import Browser
from tests.console.people import Person, account_of, colleague, make_person

#: Nine of them find out who looks, and what they may.
MOST_QUERIES = 28
_ROW = re.compile(r'row-link clip" href="[^"]+">([^<]+)<')


def _home(person: Person) -> str:
    return f"/o/{person.principal.organization.handle}"


def _rows(browser: Browser, path: str) -> list[str]:
    return _ROW.findall(browser.text(path))


def _token(answer: Any) -> str:
    """Return the token that an answer shows."""
    found = re.search(r"data-token>([^<]+)</textarea>", answer.content.decode())
    assert found is not None
    return found[1]


def test_each_view_shows_what_its_label_says(signed_in: Browser, person: Person) -> None:
    """
    Every view is listed with its number, and shows the accounts of its status and no others.
    """
    gone = colleague(person, "grace")
    account_of(person, "active")
    account_of(person, "ownerless", owner=gone.principal)
    disabled = account_of(person, "disabled", owner=gone.principal)
    deleted = account_of(person, "deleted", owner=gone.principal)
    with transaction(SYSTEM, reason="test") as tx:
        directory.disable(tx, disabled)
        credentials.delete_account(tx, deleted)
        directory.mark_deleted(tx, gone.principal)
    path = f"{_home(person)}/accounts"

    assert {
        "all": ["active", "disabled", "ownerless"],
        "mine": ["active"],
        "attention": [],
        "idle": [],
        "ownerless": ["ownerless"],
        "disabled": ["disabled"],
        "deleted": ["deleted"],
    } == {view: _rows(signed_in, f"{path}?view={view}") for view in VIEWS}
    assert ["3", "0", "0", "1", "1", "1"] == re.findall(r'tab-count">(\d+)<', signed_in.text(path))


def test_search_narrows_and_says_so(signed_in: Browser, person: Person) -> None:
    """
    A search shows what matches, how many do, and the way back; no match is not an empty organization.
    """
    account_of(person, "etl-airflow")
    account_of(person, "ci")
    path = f"{_home(person)}/accounts"

    assert ["etl-airflow"] == _rows(signed_in, f"{path}?search=airflow")
    assert "1 match" in signed_in.text(f"{path}?search=airflow")
    assert "0 of 2 match this view and its filters." in signed_in.text(f"{path}?search=nothing")
    assert "are identities for programs" not in signed_in.text(f"{path}?search=nothing")


def test_more_filters_narrow_and_stand_in_the_form(signed_in: Browser, person: Person) -> None:
    """
    What the form's further fields say narrows the list, stands in them again, and in a chip with its name.
    """
    account_of(person, "etl", environment="production")
    account_of(person, "ci", environment="test")
    path = f"{_home(person)}/accounts?environment=production"
    text = signed_in.text(path)

    assert ["etl"] == _rows(signed_in, path)
    assert re.search(r'name="environment" value="production"', text)
    assert "Environment is <strong>production</strong>" in text


def test_list_goes_on_where_it_stopped(
    signed_in: Browser, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The next page keeps the search and the order, and repeats nothing.
    """
    from retinue.server.console import accounts

    monkeypatch.setattr(accounts, "PAGE", 2)
    for name in ("a-1", "a-2", "a-3", "b-1"):
        account_of(person, name)
    path = f"{_home(person)}/accounts?search=a-&sort=-name"
    following = re.search(r'rel="next" href="([^"]+)"', signed_in.text(path))

    assert ["a-3", "a-2"] == _rows(signed_in, path)
    assert following is not None
    assert ["a-1"] == _rows(signed_in, f"{_home(person)}/accounts" + following[1].replace("&amp;", "&"))


def test_nothing_of_another_organization_can_be_opened(signed_in: Browser, person: Person) -> None:
    """
    Pages of another organization, and its accounts under one's own address, are not found.
    """
    other = make_person()
    foreign = account_of(other, "foreign")

    assert 404 == signed_in.get(f"{_home(other)}/accounts").status_code
    assert 404 == signed_in.get(f"{_home(person)}/accounts/{foreign.id}").status_code
    assert 404 == signed_in.get(f"{_home(person)}/accounts/{foreign.id}/do/disable").status_code


def test_account_is_made_with_its_key_and_shown_once(signed_in: Browser, person: Person) -> None:
    """
    The form makes account, roles and first key together; the token is in that answer, and in no other page.
    """
    answer = signed_in.fill(
        f"{_home(person)}/accounts/new",
        name="etl-airflow",
        purpose="Loads reports.",
        owners=person.email,
        key="yes",
        key_name="prod",
        expires="30d",
    )
    made = Principal.objects.get(organization_id=person.principal.organization_id, name="etl-airflow")
    token = _token(answer)

    assert (200, "no-store") == (answer.status_code, answer["Cache-Control"])
    assert (
        "Accepted: etl-airflow"
        in signed_in.fill(
            f"{_home(person)}/accounts", to=f"{_home(person)}/test-token", token=token
        ).content.decode()
    )
    for tab in ("", "/keys", "/audit", "/access", "/requests", "/settings"):
        assert token not in signed_in.text(f"{_home(person)}/accounts/{made.id}{tab}")


def test_form_that_is_sent_twice_makes_one_account(signed_in: Browser, person: Person) -> None:
    """
    A second click, or a reload of the answer, makes nothing more: it shows a new token, and the first one ends.
    """
    path = f"{_home(person)}/accounts/new"
    form = {"name": "twice", "purpose": "x", "owners": person.email, "once": secrets.token_hex(12)}
    form |= {"key": "yes", "expires": "30d"}
    first, second = (_token(signed_in.fill(path, **form)) for _ in range(2))
    said = [
        signed_in.fill(f"{_home(person)}/accounts", to=f"{_home(person)}/test-token", token=each).content
        for each in (first, second)
    ]

    assert [False, True] == [b"Accepted: twice" in each for each in said]
    assert 1 == keys(person.principal.organization_id).count()
    assert (
        1
        == Principal.objects.filter(
            organization_id=person.principal.organization_id, kind=Principal.SERVICE_ACCOUNT
        ).count()
    )


def test_what_is_wrong_stands_at_its_field(signed_in: Browser, person: Person) -> None:
    """
    A refused form comes back with what was written, the error beside its field, and nothing made.
    """
    answer = signed_in.fill(
        f"{_home(person)}/accounts/new", name="etl", owners="nobody@nowhere.example", purpose="kept"
    )
    text = answer.content.decode()

    assert 422 == answer.status_code
    assert 'id="e-owners" role="alert"' in text
    assert ">kept</textarea>" in text
    assert not Principal.objects.filter(
        organization_id=person.principal.organization_id, kind=Principal.SERVICE_ACCOUNT
    )


def test_who_may_not_create_sees_why_and_cannot(browser: Browser, server_database: str) -> None:
    """
    A viewer sees the button disabled with what they would need; sending the form all the same is refused.
    """
    viewer = make_person(roles=("auditor",))
    browser.sign_in(viewer.email, viewer.password)
    path = f"{_home(viewer)}/accounts"
    answer = browser.fill(path, to=f"{path}/new", name="etl", purpose="x", owners=viewer.email)

    assert "You need service_account:create" in browser.text(path)
    assert 403 == answer.status_code
    assert "service_account:create" in answer.content.decode()
    assert not Principal.objects.filter(
        organization_id=viewer.principal.organization_id, kind=Principal.SERVICE_ACCOUNT
    )


def test_act_on_many_says_first_what_it_would_do(signed_in: Browser, person: Person) -> None:
    """
    The preview changes nothing and counts what is so already; the act then changes the rest, with a receipt.
    """
    first, second = account_of(person, "one"), account_of(person, "two")
    with transaction(SYSTEM, reason="test") as tx:
        directory.disable(tx, second)
    path = f"{_home(person)}/accounts"
    chosen: dict[str, str | list[str]] = {"act": "disable", "account": [first.id, second.id]}
    preview = signed_in.fill(path, to=f"{path}/bulk", **chosen).content.decode()
    state = Principal.objects.get(id=first.id).state
    done = signed_in.fill(path, to=f"{path}/bulk", sure="yes", **chosen).content.decode()

    assert "1 would change." in preview
    assert "1 is already disabled." in preview
    assert "enabled" == state
    assert "1 changed." in done
    assert "Holds since" in done
    assert "disabled" == Principal.objects.get(id=first.id).state


def test_an_act_on_none_is_said(signed_in: Browser, person: Person) -> None:
    """
    An act without a chosen row changes nothing and says what is missing.
    """
    path = f"{_home(person)}/accounts"

    assert 303 == signed_in.fill(path, to=f"{path}/bulk", act="disable").status_code
    assert "Choose what to do, and at least one row." in signed_in.text(path)


def test_number_of_many_rows_is_typed(signed_in: Browser, person: Person) -> None:
    """
    An act on more than ten rows changes nothing until their number was typed.
    """
    chosen = [account_of(person, f"a-{n}").id for n in range(11)]
    path = f"{_home(person)}/accounts"
    form: dict[str, str | list[str]] = {"act": "disable", "account": chosen, "sure": "yes"}
    wrong = signed_in.fill(path, to=f"{path}/bulk", expected="10", **form).content.decode()
    before = Principal.objects.filter(id__in=chosen, state="enabled").count()
    signed_in.fill(path, to=f"{path}/bulk", expected="11", **form)

    assert "that is not their number" in wrong
    assert (11, 0) == (before, Principal.objects.filter(id__in=chosen, state="enabled").count())


def test_pages_read_a_bounded_number_of_times(signed_in: Browser, person: Person) -> None:
    """
    However many accounts there are, a page makes at most so many queries.
    """
    made = [account_of(person, f"a-{n}") for n in range(30)]
    account = f"{_home(person)}/accounts/{made[0].id}"
    pages = {"home": "/", "list": f"{_home(person)}/accounts", "new": f"{_home(person)}/accounts/new"}
    pages |= {
        tab: f"{account}/{tab}" for tab in ("overview", "keys", "access", "requests", "audit", "settings")
    }
    pages |= {"disable": f"{account}/do/disable", "key": f"{account}/keys/new"}
    read = {}
    for name, path in pages.items():
        signed_in.get(path)
        with CaptureQueriesContext(connection) as queries:
            signed_in.text(path)
        read[name] = len([each for each in queries if each["sql"].lstrip().startswith("SELECT")])

    assert {} == {name: number for name, number in read.items() if number > MOST_QUERIES}
