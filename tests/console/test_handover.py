"""The hand-over of a rotation: what comes with the old key and the new one, and when it is time to finish."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from retinue.server.access import actions as access
from retinue.server.credentials import actions as credentials
from retinue.server.credentials import rotation
from retinue.server.credentials.queries import Credential
from retinue.server.directory.queries import Principal
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.traffic import actions as traffic
from retinue.server.traffic.rules import Entry
from tests.console.browser import Browser
from tests.console.people import Person, account_of, colleague


def _rotated(
    account: Principal, name: str = "next", overlap_seconds: int | None = None
) -> tuple[Credential, Credential]:
    with transaction(SYSTEM, reason="test") as tx:
        old = credentials.issue(tx, account, name="prod").credential
    with transaction(SYSTEM, reason="test") as tx:
        new = rotation.rotate(tx, old, name=name, overlap_seconds=overlap_seconds).credential
    return old, new


def _call(key: Credential, ago: timedelta, *, times: int = 1, client: str = "airflow/2", **more: Any) -> None:
    at = datetime.now(UTC) - ago
    entries = [
        Entry(
            at_ms=int(at.timestamp() * 1000) + n,
            organization=key.organization_id,
            account=key.principal_id or "",
            account_name="etl",
            account_kind="service_account",
            credential_id=key.id,
            **{"allowed": True, "reason": None, **more},
            permission="report:read",
            method="GET",
            path="/reports",
            address="10.0.0.1",
            client=client,
            revision=1,
            duration_us=40,
        )
        for n in range(times)
    ]
    traffic.ingest("node-a", secrets.token_hex(8), 0, entries)


@pytest.fixture
def rotated(person: Person) -> tuple[Credential, Credential]:
    """An old key of a new account that works beside its successor."""
    return _rotated(account_of(person, "etl"))


def _pages(person: Person, key: Credential) -> list[str]:
    base = f"/o/{person.principal.organization.handle}"
    account = f"{base}/accounts/{key.principal_id}"
    return [account, f"{account}/keys", f"{base}/keys/{key.id}/handover"]


def test_finish_is_advised_once_the_old_key_is_silent(
    signed_in: Browser, person: Person, rotated: tuple[Credential, Credential]
) -> None:
    """
    *Finish now* is advised when the new key is in use and the old one was silent for an hour; not while the
    old key is used, nor before the new one is: on the page of the account, of its keys, and of the hand-over.
    """
    old, new = rotated
    silent = "The old one has been silent for an hour"
    finish = f'href="/o/{person.principal.organization.handle}/keys/{old.id}/do/finish"'
    seen = {"unused": [signed_in.text(each) for each in _pages(person, old)]}
    _call(old, timedelta(minutes=59))
    _call(new, timedelta(minutes=1))
    seen["used"] = [signed_in.text(each) for each in _pages(person, old)]
    other = _rotated(account_of(person, "other"))
    _call(other[0], timedelta(minutes=61))
    _call(other[1], timedelta(minutes=1))
    seen["silent"] = [signed_in.text(each) for each in _pages(person, other[0])]

    assert all("The new one was not used yet." in each for each in seen["unused"])
    assert all("The old one is still in use" in each for each in seen["used"])
    assert all(silent in each for each in seen["silent"])
    assert not any(silent in each for each in seen["unused"] + seen["used"])
    assert all(finish in each for each in seen["unused"] + seen["used"])


def test_keys_of_one_name_are_told_by_their_ids(signed_in: Browser, person: Person) -> None:
    """
    The title names both keys; if both have the same name, by their ids.
    """
    named = _rotated(account_of(person, "etl"))
    same = _rotated(account_of(person, "other"), "prod")
    titles = [
        [" ".join(signed_in.text(each).split()) for each in _pages(person, old)]
        for old, _new in (named, same)
    ]

    assert all("Hand-over from prod to next" in each for each in titles[0])
    told = f"Hand-over of prod from <code>{same[0].id}</code> to <code>{same[1].id}</code>"
    assert all(told in each for each in titles[1])


def test_both_keys_are_counted_by_hour_and_client(
    signed_in: Browser, person: Person, rotated: tuple[Credential, Credential]
) -> None:
    """
    The page says how often each key was used in 24 hours, which clients did, and what was denied; what is
    older is not counted.
    """
    old, new = rotated
    _call(old, timedelta(hours=3), times=4, client="cron/1")
    _call(old, timedelta(hours=30), times=9, client="gone/1")
    _call(new, timedelta(minutes=2), times=2)
    _call(new, timedelta(minutes=1), allowed=False, reason="permission_missing")
    text = signed_in.text(_pages(person, old)[2])

    assert "4 requests in 24 h" in text
    assert "3 requests in 24 h" in text
    assert "cron/1" in text
    assert "airflow/2" in text
    assert "gone/1" not in text
    assert 1 == text.count('class="bar-denied"')


def test_a_part_for_the_page_is_no_page(
    signed_in: Browser, person: Person, rotated: tuple[Credential, Credential]
) -> None:
    """
    htmx gets the two charts alone; what is no running rotation is not there.
    """
    old, new = rotated
    path = _pages(person, old)[2]
    part = signed_in.get(path, **{"hx-request": "true"}).content.decode()

    assert 2 == part.count("<svg viewBox")
    assert "<html" not in part
    assert 404 == signed_in.get(path.replace(old.id, new.id)).status_code


def test_who_may_not_see_requests_sees_no_figures(
    browser: Browser, person: Person, rotated: tuple[Credential, Credential]
) -> None:
    """
    Without permission to read the request log the card says what is missing, and names no client.
    """
    old, _new = rotated
    _call(old, timedelta(minutes=2), client="secret-client/1")
    other = colleague(person, "keys")
    with transaction(SYSTEM, reason="test") as tx:
        for each in ("credential:read", "service_account:read"):
            access.grant(tx, other.principal, each, "test")
    browser.sign_in(other.email, other.password)
    text = browser.text(_pages(person, old)[2])

    assert "request_log:read" in text
    assert "secret-client/1" not in text
    assert 'aria-disabled="true"' in text


def test_the_overlap_is_extended_and_the_rotation_undone(signed_in: Browser, person: Person) -> None:
    """
    From the hand-over the old key gets longer, by a length that is one; undone, it stays and its successor ends.
    """
    old, new = _rotated(account_of(person, "etl"), overlap_seconds=3600)
    base = f"/o/{person.principal.organization.handle}/keys/{old.id}/do"
    until = Credential.objects.get(id=old.id).retires_at
    assert until is not None
    shown = [signed_in.text(each) for each in _pages(person, old)]
    bad = signed_in.fill(f"{base}/extend", by="soon")
    kept = Credential.objects.get(id=old.id).retires_at
    extended = signed_in.fill(f"{base}/extend", by="1h")
    longer = Credential.objects.get(id=old.id).retires_at
    undone = signed_in.fill(f"{base}/undo")

    assert all(f'href="{base}/{name}"' in each for each in shown for name in ("extend", "undo"))
    assert (400, True) == (bad.status_code, 'id="e-by"' in bad.content.decode())
    assert (303, until, until + timedelta(hours=1)) == (extended.status_code, kept, longer)
    assert 303 == undone.status_code
    states = {each.id: each.state for each in Credential.objects.filter(id__in=(old.id, new.id))}
    assert {old.id: "active", new.id: "revoked"} == states
