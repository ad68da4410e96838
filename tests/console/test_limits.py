"""Guessing is slow, and does not fill the audit log."""

from __future__ import annotations

import secrets

import pytest

from retinue.server.console.refusals import Budget
from retinue.server.ledger.queries import Event, latest
from tests.console.browser import Browser
from tests.console.people import Person

ALLOWED_FOR_ONE_ADDRESS = 5
ALLOWED_FOR_ONE_CALLER = 20


def _refusals(person: Person) -> list[Event]:
    found = latest(person.principal.organization_id, 100)
    return [event for event in found if event.type == "session.refused"]


def test_one_address_is_limited(browser: Browser, person: Person) -> None:
    """
    After five wrong passwords an address is refused with 429, with the right password too.
    """
    wrong = [browser.sign_in(person.email, "wrong").status_code for _ in range(ALLOWED_FOR_ONE_ADDRESS)]
    right = browser.sign_in(person.email, person.password)

    assert [200] * ALLOWED_FOR_ONE_ADDRESS == wrong
    assert 429 == right.status_code
    assert "Too many attempts" in right.content.decode()
    assert browser.session is None


def test_another_port_in_the_host_header_is_no_way_around(person: Person) -> None:
    """
    The limit of an address counts, whatever host and port the caller writes.
    """
    hosts = ["127.0.0.1:1", "127.0.0.1:2", "localhost:3", "localhost", "127.0.0.1:4", "127.0.0.1:5"]
    statuses = [Browser(host).sign_in(person.email, "wrong").status_code for host in hosts]

    assert 429 == statuses[-1]


def test_one_caller_is_limited(person: Person) -> None:
    """
    A caller that tries many addresses gets 429 with a page of its own.
    """
    statuses = []
    for n in range(ALLOWED_FOR_ONE_CALLER + 1):
        answer = Browser().sign_in(f"{n}@{secrets.token_hex(4)}.example", "wrong")
        statuses.append(answer.status_code)

    assert [200] * ALLOWED_FOR_ONE_CALLER + [429] == statuses
    assert "Wait five minutes" in answer.content.decode()


def test_signing_in_is_not_counted_as_failing(person: Person) -> None:
    """
    The right password, again and again, does not use up the attempts of an address.
    """
    statuses = [Browser().sign_in(person.email, person.password).status_code for _ in range(8)]

    assert [302] * 8 == statuses


def test_budget_fills_by_time() -> None:
    """
    The bucket gives its burst, then one entry an interval, and tells how many were left out.
    """
    now = 0.0
    budget = Budget(burst=2, every_s=6.0, clock=lambda: now)
    given = [budget.take() for _ in range(5)]
    now = 6.0
    later = [budget.take(), budget.take()]

    assert [0, 0, None, None, None] == given
    assert [3, None] == later


def test_budget_never_holds_more_than_its_burst() -> None:
    """
    A quiet night does not save up entries.
    """
    now = 0.0
    budget = Budget(burst=2, every_s=6.0, clock=lambda: now)
    now = 1e6

    assert [0, 0, None] == [budget.take() for _ in range(3)]


def test_refusals_over_the_budget_are_counted_not_written(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Guessing beyond the budget writes nothing; the next entry that is written tells how many are missing.
    """
    from retinue.server.console import sessions

    now = 0.0
    budget = Budget(burst=1, every_s=6.0, clock=lambda: now)
    monkeypatch.setattr(sessions, "BUDGET", budget)
    for _ in range(3):
        Browser().sign_in(person.email, "wrong")
    written = len(_refusals(person))
    now = 6.0
    Browser().sign_in(person.email, "wrong")

    assert 1 == written
    assert [2, 0] == [event.after["unwritten_before"] for event in _refusals(person)]
