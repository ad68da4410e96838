"""Guessing is slow, and does not fill the audit log."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from retinue.server.console import sessions
from retinue.server.console.failures import Origin, count
from retinue.server.console.refusals import Budget
from retinue.server.console.rules import QUIET, WINDOW, Failures, after_failure
from retinue.server.ledger.guard import writes
from retinue.server.ledger.queries import Event, latest
from tests.console.browser import Browser
from tests.console.people import Person

ALLOWED_FOR_ONE_ADDRESS = 5
ALLOWED_FOR_ONE_NETWORK = 20


def _refusals(person: Person) -> list[Event]:
    found = latest(person.principal.organization_id, 100)
    return [event for event in found if event.type == "session.refused"]


def test_one_address_is_limited_where_it_is_guessed(browser: Browser, person: Person) -> None:
    """
    After five wrong passwords an address is refused with 429 in that network, with the right password too.
    From another network its holder signs in all the while.
    """
    wrong = [browser.sign_in(person.email, "wrong").status_code for _ in range(ALLOWED_FOR_ONE_ADDRESS)]
    right = browser.sign_in(person.email, person.password)
    elsewhere = Browser(address="198.51.100.7").sign_in(person.email, person.password)

    assert [200] * ALLOWED_FOR_ONE_ADDRESS == wrong
    assert (429, None) == (right.status_code, browser.session)
    assert 0 < int(right["Retry-After"]) <= 300
    assert "Too many attempts. Try again in 5 minutes." in right.content.decode()
    assert 302 == elsewhere.status_code


def test_refused_attempt_computes_and_writes_nothing(
    browser: Browser, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Whoever must wait costs one look: no hash, and nothing written once the budget of events is used up.
    """
    for _ in range(ALLOWED_FOR_ONE_ADDRESS):
        browser.sign_in(person.email, "wrong")
    monkeypatch.setattr(sessions, "BUDGET", Budget(burst=0, every_s=1e9))
    monkeypatch.setattr(Argon2PasswordHasher, "verify", lambda *_: pytest.fail("hashed"))
    token = browser.form_token()
    fields = {"csrfmiddlewaretoken": token, "login": person.email, "password": "wrong"}
    with CaptureQueriesContext(connection) as sent:
        refused = browser.post("/login/", fields)

    assert 429 == refused.status_code
    assert [] == [query["sql"] for query in sent.captured_queries if writes(query["sql"])]


def test_another_port_in_the_host_header_is_no_way_around(person: Person) -> None:
    """
    The limit of an address counts, whatever host and port the caller writes.
    """
    hosts = ["127.0.0.1:1", "127.0.0.1:2", "localhost:3", "localhost", "127.0.0.1:4", "127.0.0.1:5"]
    statuses = [Browser(host).sign_in(person.email, "wrong").status_code for host in hosts]

    assert 429 == statuses[-1]


def test_one_network_is_limited(person: Person) -> None:
    """
    A network that tries many addresses gets 429, from whichever of its own addresses it goes on.
    """
    statuses = []
    for n in range(ALLOWED_FOR_ONE_NETWORK + 1):
        caller = Browser(address=f"203.0.113.{n}")
        statuses.append(caller.sign_in(f"{n}@{secrets.token_hex(4)}.example", "wrong").status_code)

    assert [200] * ALLOWED_FOR_ONE_NETWORK + [429] == statuses
    assert 302 == Browser().sign_in(person.email, person.password).status_code


def test_signing_in_is_not_counted_as_failing(person: Person) -> None:
    """
    The right password, again and again, does not use up attempts, and ends what its holder mistyped before.
    """
    statuses = []
    for _ in range(3):
        statuses += [Browser().sign_in(person.email, "wrong").status_code for _ in range(4)]
        statuses.append(Browser().sign_in(person.email, person.password).status_code)

    assert [200, 200, 200, 200, 302] * 3 == statuses


def test_limits_hold_for_all_processes(person: Person) -> None:
    """
    What one process has counted another one knows.
    """
    origin = Origin(person.email, "192.0.2.7")
    for _ in range(ALLOWED_FOR_ONE_ADDRESS):
        count(origin, timezone.now())
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        url = f"sqlite:///{settings['NAME']}"
    else:
        url = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**settings)
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, person.email],
        env={**os.environ, "RETINUE_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "True" == done.stdout.strip()


ELSEWHERE = """
import sys, django
django.setup()
from django.utils import timezone
from retinue.server.console.failures import Origin, paused_until
print(paused_until(Origin(sys.argv[1], "192.0.2.77"), timezone.now()) is not None)
"""


def test_pauses_grow_and_end() -> None:
    """
    Each used-up window is followed by a longer pause, up to an hour; six quiet hours begin anew.
    """
    now = datetime(2026, 1, 1, tzinfo=UTC)
    remembered, pauses = Failures.none(now), []
    for _ in range(6):
        for _ in range(3):
            remembered = after_failure(remembered, 3, now)
        pauses.append((remembered.paused_until - now).total_seconds() / 60)
        now = remembered.paused_until
    later = after_failure(remembered, 3, now + QUIET)

    assert [5, 10, 20, 40, 60, 60] == pauses
    assert (1, 0) == (later.count, later.pauses)


def test_failures_of_an_old_window_do_not_count() -> None:
    """
    Who fails once in a while never waits.
    """
    now = datetime(2026, 1, 1, tzinfo=UTC)
    remembered = Failures.none(now)
    for _ in range(50):
        remembered = after_failure(remembered, 2, now)
        now += WINDOW

    assert 0 == remembered.pauses


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
