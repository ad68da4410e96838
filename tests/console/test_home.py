"""The home page shows what the viewer may see, and nothing of others."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from retinue.server.credentials import actions as credentials
from retinue.server.directory import actions as directory
from retinue.server.directory.queries import Principal
from retinue.server.directory.rules import AccountFields
from retinue.server.ledger.transaction import SYSTEM, Actor, transaction
from retinue.server.traffic import actions as traffic
from retinue.server.traffic.rules import Entry
from tests.console.browser import Browser
from tests.console.people import Person, make_person


def _account(person: Person, name: str) -> Principal:
    with transaction(SYSTEM, reason="test") as tx:
        fields = AccountFields(name=name, purpose="a test", owners=(person.principal.id,))
        return directory.create_service_account(tx, person.principal.organization_id, fields)


def _text(browser: Browser) -> str:
    page = browser.get("/")
    assert page.status_code == 200
    return " ".join(page.content.decode().split())


def test_counts_are_those_of_the_organization(signed_in: Browser, person: Person) -> None:
    """
    The tile counts live keys; a revoked key and a key of a disabled account are not live.
    """
    first, second = _account(person, "etl"), _account(person, "ci")
    with transaction(SYSTEM, reason="test") as tx:
        credentials.issue(tx, first, name="k1")
        gone = credentials.issue(tx, first, name="k2").credential
        credentials.issue(tx, second, name="k1")
    with transaction(SYSTEM, reason="test") as tx:
        credentials.revoke(tx, gone)
    with transaction(SYSTEM, reason="test") as tx:
        directory.disable(tx, second)
    text = _text(signed_in)

    assert '<span class="big">0</span><span class="small muted">of 1 in use</span>' in text


def test_changes_name_account_and_key(signed_in: Browser, person: Person) -> None:
    """
    A change reads like a sentence: what, to which object by its name, by whom.
    """
    account = _account(person, "etl")
    who = person.principal
    with transaction(Actor("user", who.id, who.name, who.organization_id)) as tx:
        credentials.issue(tx, account, name="prod")

    assert 'An API key was issued: <span class="strong anywhere">etl/prod</span>' in _text(signed_in)


def test_equal_events_in_a_row_are_one(signed_in: Browser, person: Person) -> None:
    """
    A guesser does not push the other changes off the page.
    """
    _account(person, "etl")
    for _ in range(4):
        Browser().sign_in(person.email, "wrong")
    text = _text(signed_in)

    assert 1 == text.count("A sign-in was refused")
    assert "4 times" in text
    assert "A service account was created" in text


def test_nothing_of_another_organization_is_shown(signed_in: Browser) -> None:
    """
    Accounts and changes of another organization do not appear.
    """
    name = f"etl-{secrets.token_hex(6)}"
    _account(make_person(), name)

    assert name not in _text(signed_in)


def test_viewer_without_permission_sees_what_is_missing(browser: Browser, server_database: str) -> None:
    """
    A member without reads sees no numbers and no changes, and which permission would show them.
    """
    member = make_person(roles=("member",))
    browser.sign_in(member.email, member.password)
    text = _text(browser)

    assert 5 == text.count("not visible to you")
    assert "<code>audit_log:read</code>" in text
    assert "<code>node:read</code>" in browser.text(f"/o/{member.principal.organization.handle}/nodes/state")
    assert 'class="events"' not in text


def test_names_are_escaped(signed_in: Browser, person: Person) -> None:
    """
    A name is text, whatever it contains.
    """
    _account(person, "<img src=x>")
    text = _text(signed_in)

    assert "<img" not in text
    assert "&lt;img src=x&gt;" in text


def test_tiles_lead_to_what_they_count(signed_in: Browser, person: Person) -> None:
    """
    The keys that end soon are counted as the list behind the tile has them; decisions say both numbers, and
    the denied ones stand by reason, each with its rows. What probes do, and receipts, are no changes.
    """
    account = _account(person, "etl")
    with transaction(SYSTEM, reason="test") as tx:
        for name, expires in (("soon", "7d"), ("late", "60d")):
            key = credentials.issue(tx, account, name=name, expires=expires).credential
    entries = [
        Entry(
            at_ms=int((datetime.now(UTC) - timedelta(minutes=5)).timestamp() * 1000) + n,
            organization=person.principal.organization_id,
            account=account.id,
            account_name=account.name,
            account_kind="service_account",
            credential_id=key.id,
            allowed=n > 1,
            reason=None if n > 1 else "permission_missing",
            method="GET",
            path="/",
            revision=1,
            duration_us=40,
        )
        for n in range(5)
    ]
    traffic.ingest("node-a", secrets.token_hex(8), 0, entries)
    with transaction(SYSTEM, reason="test") as tx:
        credentials.revoke(tx, key)
    text, pages = _text(signed_in), f"/o/{person.principal.organization.handle}"
    decided = signed_in.text(f"{pages}/decided")
    soon = signed_in.text(f"{pages}/credentials?kind=api_key&expires_within=14")

    assert f'href="{pages}/credentials?kind=api_key&amp;expires_within=14"' in text
    assert '<span class="big">1</span><span class="small strong warn">rotate them</span>' in text
    assert (True, False) == ("soon" in soon, ">late<" in soon)
    assert '<span class="big">5</span>' in text
    assert "3 allowed" in text
    assert "2 denied" in text
    assert "permission_missing</code>" in decided
    assert "A change holds on every node" not in text
