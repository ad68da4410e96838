"""Credentials, logs and findings of the whole organization: filters in the address, refusals beside them."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from retinue.server.credentials import actions as credentials
from retinue.server.directory import actions as directory
from retinue.server.directory.queries import Principal
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.traffic import actions as traffic
from retinue.server.traffic.rules import Entry
from tests.console.browser import Browser
from tests.console.people import Person, account_of, make_person
from tests.server_support.findings import look

LISTS = ("credentials", "requests", "audit", "findings")
_NAME = re.compile(r'strong block anywhere">([^<]+)<')


def _key_of(account: Principal, name: str, **more: Any) -> Any:
    with transaction(SYSTEM, reason="test") as tx:
        return credentials.issue(tx, account, name=name, **more)


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
    An event names its subject, with the way to it, and what it changed from what to what: values are text,
    instants are for people, ids are names that lead there; nothing looks like a program's.
    """
    account = account_of(person, "etl", description="<b>new</b>")
    with transaction(SYSTEM, reason="test") as tx:
        directory.update_account(tx, account, {"systems": ["crm", "erp"]})
    _key_of(account, "prod")
    text = signed_in.text(_path(person, "audit?account=etl"))

    shown = f'<a class="quiet strong anywhere" href="{_path(person, f"accounts/{account.id}")}">etl</a>'
    assert f"A service account was created: {shown}" in text
    assert '<dt>Description</dt><dd class="anywhere"><ins>&lt;b&gt;new&lt;/b&gt;</ins></dd>' in text
    assert '<dt>Systems</dt><dd class="anywhere"><ins>crm, erp</ins></dd>' in text
    assert re.search(r"<dt>Expires</dt><dd[^>]*><ins><time datetime", text)
    assert [] == re.findall(r"<(?:ins|del)>[^<]*(?:\[&#x27;|\{|True|False|None|\+00:00)", text)


def test_audit_log_is_narrowed_by_names_moments_and_kinds(signed_in: Browser, person: Person) -> None:
    """
    By whom and about whom are asked for by name; a kind of event can be
    all of a family, and kinds can be left out. About an account is what is about its keys too.
    """
    first, other = account_of(person, "etl"), account_of(person, "ci")
    _key_of(first, "prod")
    _key_of(other, "test")

    def found(query: str) -> tuple[bool, ...]:
        text = signed_in.text(_path(person, f"audit?{query}"))
        return tuple(f'">{name}</a></p>' in text for name in ("etl", "ci", "etl/prod", "ci/test"))

    assert (True, True, True, True) == found("")
    assert (True, False, True, False) == found("account=etl")
    assert (False, False, True, True) == found("type=key")
    assert (True, True, False, False) == found("without=key&without=session")
    assert (True, True, True, True) == found("since=2020-01-01T00:00:00Z")
    assert (False, False, False, False) == found("until=2020-01-01T00:00:00Z")
    assert (False, False, False, False) == found(f"actor={person.email}&type=key")
    tab = signed_in.text(_path(person, f"accounts/{first.id}/audit"))
    assert ("An API key was issued" in tab, other.id in tab) == (True, False)


def test_refused_filter_is_an_error_and_no_empty_list(signed_in: Browser, person: Person) -> None:
    """
    A filter that is not understood says so, beside its field and in place of the rows; nothing says that no
    row matches.
    """
    for path in ("requests?since=yesterday", "audit?since=yesterday", "audit?without=nothing"):
        page = signed_in.get(_path(person, path))
        text = page.content.decode()
        assert 400 == page.status_code, path
        assert "Nothing was looked for." in text, path
        assert "No row matches" not in text, path
        assert "requests/chart" not in text, path


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
    look(person.principal.organization_id)
    path = _path(person, "findings?kind=undocumented")
    action = re.search(r'action="([^"]+/accept)"', signed_in.text(path))
    assert action is not None
    until = f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}"
    signed_in.fill(path, to=action[1], reason="known", until=until)
    accepted = signed_in.text(f"{path}&state=accepted")
    signed_in.fill(f"{path}&state=accepted", to=action[1], again="yes")

    assert "“known”" in accepted
    assert "“known”" not in signed_in.text(path)


def test_each_finding_proposes_one_act_on_its_own_page(signed_in: Browser, person: Person) -> None:
    """
    The worst stands first. A finding has a name for people, says what is missing of this account, and leads
    to the page of the one act that ends it; before the first look nothing is said to be well.
    """
    account = account_of(person, "etl", purpose="x")
    key = _key_of(account, "old", expires="2d").credential
    before = signed_in.text(_path(person, "findings"))
    entry = Entry(
        at_ms=int((datetime.now(UTC) - timedelta(minutes=1)).timestamp() * 1000),
        organization=person.principal.organization_id,
        account=account.id,
        account_name=account.name,
        account_kind="service_account",
        credential_id=key.id,
        allowed=True,
        method="GET",
        path="/",
        revision=1,
        duration_us=40,
    )
    traffic.ingest("node-a", secrets.token_hex(8), 0, [entry])
    look(person.principal.organization_id)
    text = signed_in.text(_path(person, "findings"))

    assert "Nothing was looked for yet." in before
    assert "Nothing is found." not in before
    assert "The account states no systems and no documentation." in text
    assert "undocumented</" not in text
    settings, rotate = f"accounts/{account.id}/settings", f"keys/{key.id}/do/rotate"
    assert -1 < text.find(f'href="{_path(person, rotate)}"') < text.find(f'href="{_path(person, settings)}"')
