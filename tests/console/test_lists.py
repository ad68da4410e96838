"""Credentials, logs and findings of the whole organization: filters in the address, refusals beside them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from retinue.server.credentials import actions as credentials
from retinue.server.directory.queries import Principal
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.console.browser import Browser
from tests.console.people import Person, account_of, make_person

LISTS = ("credentials", "requests", "audit", "findings")
_NAME = re.compile(r'strong block anywhere">([^<]+)<')


def _key_of(account: Principal, name: str) -> Any:
    with transaction(SYSTEM, reason="test") as tx:
        return credentials.issue(tx, account, name=name)


def _path(person: Person, rest: str) -> str:
    return f"/o/{person.principal.organization.handle}/{rest}"


def test_credentials_are_filtered_by_the_address(signed_in: Browser, person: Person) -> None:
    """
    Each filter of the address shows what matches it, and the form shows what was asked for.
    """
    first = _key_of(account_of(person, "etl"), "prod").credential
    _key_of(account_of(person, "ci"), "test")
    with transaction(SYSTEM, reason="test") as tx:
        credentials.revoke(tx, first)

    assert ["test", "prod"] == _NAME.findall(signed_in.text(_path(person, "credentials")))
    assert ["prod"] == _NAME.findall(signed_in.text(_path(person, "credentials?status=revoked")))
    assert ["test"] == _NAME.findall(signed_in.text(_path(person, "credentials?account=ci")))
    assert '<option value="revoked" selected>' in signed_in.text(_path(person, "credentials?status=revoked"))
    assert "No row matches." in signed_in.text(_path(person, "credentials?search=nothing"))


def test_filter_that_is_refused_is_told_at_its_field(signed_in: Browser, person: Person) -> None:
    """
    A filter of the wrong kind is no empty list: the page says at the field what is wrong with it.
    """
    page = signed_in.get(_path(person, "credentials?used_within=soon"))

    assert page.status_code >= 400
    assert 'id="qe-used_within" role="alert"' in page.content.decode()


def test_lists_hold_nothing_of_others(signed_in: Browser, person: Person) -> None:
    """
    No list shows an account, a key or an event of another organization.
    """
    other = make_person()
    _key_of(account_of(other, "foreign-account"), "foreign-key")
    for name in LISTS:
        assert "foreign" not in signed_in.text(_path(person, name))


def test_list_that_may_not_be_read_says_what_is_needed(browser: Browser, server_database: str) -> None:
    """
    A member without reads sees which permission a list needs, and no row.
    """
    member = make_person(roles=("member",))
    browser.sign_in(member.email, member.password)
    needed = {}
    for name in LISTS:
        page = browser.get(_path(member, name))
        needed[name] = (page.status_code, re.findall(r"<code>([a-z_]+:read)</code>", page.content.decode()))

    assert {
        "credentials": (403, ["credential:read"]),
        "requests": (403, ["request_log:read"]),
        "audit": (403, ["audit_log:read"]),
        "findings": (403, ["finding:read"]),
    } == needed


def test_audit_log_tells_what_changed(signed_in: Browser, person: Person) -> None:
    """
    An event names its subject and what it changed from what to what; values are text.
    """
    account_of(person, "etl", description="<b>new</b>")
    text = signed_in.text(_path(person, "audit?type=account.created"))

    assert 'A service account was created: <span class="strong anywhere">etl</span>' in text
    assert '<dt>description</dt><dd class="anywhere"><ins>&lt;b&gt;new&lt;/b&gt;</ins></dd>' in text


@pytest.mark.parametrize("found", [True, False])
def test_token_is_identified(signed_in: Browser, person: Person, found: bool) -> None:
    """
    A pasted token is named with its account if it is of this organization; of another it is unknown. It is
    never written into the page.
    """
    owner = person if found else make_person()
    token = _key_of(account_of(owner, "etl"), "prod").token.reveal()
    path = _path(person, "credentials/identify")
    text = " ".join(signed_in.fill(path, token=token).content.decode().split())

    assert found == ("API key prod · etl" in text)
    assert found == ("It is accepted now" in text)
    assert found != ("No credential of this organization has this token." in text)
    assert token not in text


def test_finding_is_accepted_until_a_day(signed_in: Browser, person: Person) -> None:
    """
    An accepted finding says so with its reason, and can be opened again.
    """
    account_of(person, "etl", purpose="x")
    path = _path(person, "findings?kind=undocumented")
    action = re.search(r'action="([^"]+/accept)"', signed_in.text(path))
    assert action is not None
    until = f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}"
    signed_in.fill(path, to=action[1], reason="known", until=until)
    accepted = signed_in.text(f"{path}&state=accepted")
    signed_in.fill(f"{path}&state=accepted", to=action[1], again="yes")

    assert "“known”" in accepted
    assert "“known”" not in signed_in.text(path)
