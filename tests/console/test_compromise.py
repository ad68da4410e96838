"""Compromise in the console: a dry run, a typed name, and then everything in its scope ends for good."""

from __future__ import annotations

from typing import Any

import pytest

from retinue.server.credentials import actions as credentials
from retinue.server.credentials.queries import Credential
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.console.browser import Browser
from tests.console.people import Person, account_of, colleague


def _keys(person: Person, name: str, count: int) -> tuple[str, list[str]]:
    account = account_of(person, name)
    with transaction(SYSTEM, reason="test") as tx:
        made: list[Any] = [credentials.issue(tx, account, name=f"k{n}") for n in range(count)]
    return account.id, [each.credential.id for each in made]


def _reasons(ids: list[str]) -> set[tuple[str, str]]:
    return set(Credential.objects.filter(id__in=ids).values_list("state", "reason"))


def _base(person: Person) -> str:
    return f"/o/{person.principal.organization.handle}"


@pytest.mark.parametrize("scope", ["account", "organization"])
def test_everything_in_scope_ends(signed_in: Browser, person: Person, scope: str) -> None:
    """
    The page counts what would end; the wrong name changes nothing; the right one ends all of it and says since when.
    """
    account, own = _keys(person, "etl", 3)
    _other, others = _keys(person, "ci", 1)
    path = f"{_base(person)}/accounts/{account}/compromise"
    typed = "etl"
    if scope == "organization":
        path, typed = f"{_base(person)}/credentials/compromise", person.principal.organization.handle
    number = "3" if scope == "account" else "4"
    question = signed_in.text(path)
    refused = signed_in.fill(path, typed="other", confirm=number)
    untouched = _reasons(own)
    done = signed_in.fill(path, typed=typed, confirm=number, reason="seen in a log")

    assert f"Revoke {number} credentials" in question
    assert (422, {("active", "")}) == (refused.status_code, untouched)
    assert 303 == done.status_code
    assert {("revoked", "compromised")} == _reasons(own)
    assert {("revoked", "compromised") if scope == "organization" else ("active", "")} == _reasons(others)
    assert "Holds since" in signed_in.text(str(done["Location"]))


def test_another_number_than_was_counted_changes_nothing(signed_in: Browser, person: Person) -> None:
    """
    Where something was issued since the dry run, the page counts again.
    """
    account, own = _keys(person, "etl", 2)
    path = f"{_base(person)}/accounts/{account}/compromise"
    late = signed_in.fill(path, typed="etl", confirm="1")

    assert late.status_code >= 400
    assert {("active", "")} == _reasons(own)


def test_tokens_of_a_user_end(signed_in: Browser, person: Person) -> None:
    """
    The personal access tokens of one user end, those of others stay.
    """
    grace = colleague(person, "grace", roles=("auditor",))
    with transaction(SYSTEM, reason="test") as tx:
        theirs = credentials.issue_personal_token(tx, grace.principal, name="t", days=30).credential.id
        mine = credentials.issue_personal_token(tx, person.principal, name="t", days=30).credential.id
    path = f"{_base(person)}/settings/users/{grace.principal.id}/compromise"
    signed_in.fill(path, typed=grace.email, confirm="1")

    assert {("revoked", "compromised")} == _reasons([theirs])
    assert {("active", "")} == _reasons([mine])


def test_who_may_not_sees_what_it_needs(browser: Browser, person: Person) -> None:
    """
    An auditor sees what would end, and cannot end it.
    """
    account, own = _keys(person, "etl", 1)
    auditor = colleague(person, "grace", roles=("auditor",))
    browser.sign_in(auditor.email, auditor.password)
    path = f"{_base(person)}/accounts/{account}/compromise"

    assert "credential:revoke" in browser.text(path)
    assert 403 == browser.fill(path, typed="etl", confirm="1").status_code
    assert {("active", "")} == _reasons(own)


def test_key_is_restricted(signed_in: Browser, person: Person) -> None:
    """
    The dialog shows what a key is narrowed to, and saves it; what is no network is told beside its field.
    """
    _account, own = _keys(person, "etl", 1)
    path = f"{_base(person)}/keys/{own[0]}/do/restrict"
    signed_in.fill(path, networks="10.0.0.0/8", methods="GET", times="[]")
    shown = signed_in.text(path)
    wrong = signed_in.fill(path, networks="10.0.0.0/8, nowhere", times="[]")

    assert "10.0.0.0/8</textarea>" in shown
    assert 'value="GET"' in shown
    assert wrong.status_code >= 400
    assert 'id="e-networks" role="alert"' in wrong.content.decode()
    assert ["10.0.0.0/8"] == Credential.objects.get(id=own[0]).restrictions["networks"]
