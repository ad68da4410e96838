"""The request log: its chart agrees with its rows, a record is whole, and what callers sent is text."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta

import pytest

from retinue.server.console.charting import MOST, bars, floor, unit_of
from retinue.server.directory.queries import Principal
from retinue.server.traffic.actions import ingest
from retinue.server.traffic.rules import Entry
from tests.console.browser import Browser
from tests.console.people import Person, account_of, make_person

NOW = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)


def record(account: Principal, at: datetime, *, allowed: bool = True, **sent: str) -> None:
    """Have a decision logged."""
    entry = Entry(
        at_ms=int(at.timestamp() * 1000),
        organization=account.organization_id,
        account=account.id,
        account_name=account.name,
        account_kind="service_account",
        credential_id="",
        allowed=allowed,
        reason=None if allowed else "permission_missing",
        permission="report:read",
        method="GET",
        path=sent.get("path", "/reports"),
        address="10.0.0.7",
        client=sent.get("client", "curl/8"),
        revision=1,
        duration_us=40,
    )
    ingest("node-a", secrets.token_hex(8), 0, [entry])


def _path(person: Person, rest: str) -> str:
    return f"/o/{person.principal.organization.handle}/{rest}"


def test_chart_counts_what_the_filters_let_through(signed_in: Browser, person: Person) -> None:
    """
    The chart has as many allowed and denied as were logged in its time, of this organization and filter alone.
    """
    account, other = account_of(person, "etl"), account_of(person, "ci")
    now = datetime.now(UTC)
    for minutes in (1, 2, 3):
        record(account, now - timedelta(minutes=minutes))
    record(account, now - timedelta(minutes=4), allowed=False)
    record(other, now - timedelta(hours=3))
    record(account, now - timedelta(days=3))
    record(account_of(make_person(), "foreign"), now - timedelta(minutes=1))
    seen = {}
    for query in ("", "?account=etl", "?range=1h", "?range=7d", "?decision=denied"):
        text = signed_in.text(_path(person, f"requests/chart{query}"))
        seen[query] = re.findall(r"</b>(\d+) (allowed|denied)</span>", text)

    assert {
        "": [("4", "allowed"), ("1", "denied")],
        "?account=etl": [("3", "allowed"), ("1", "denied")],
        "?range=1h": [("3", "allowed"), ("1", "denied")],
        "?range=7d": [("5", "allowed"), ("1", "denied")],
        "?decision=denied": [("0", "allowed"), ("1", "denied")],
    } == seen


@pytest.mark.parametrize("hours", [0.5, 1, 3, 24, 168, 720, 24 * 90])
def test_bars_stand_side_by_side(hours: float) -> None:
    """
    Whatever the span, there are not too many bars, none is outside the chart, and together they count everything.
    """
    since = NOW - timedelta(hours=hours)
    unit = unit_of(NOW - since)
    counted = {floor(since, unit): (7, 1), floor(NOW - timedelta(minutes=1), unit): (0, 3)}
    made = bars(counted, since, NOW, unit, {})

    assert len(made) <= MOST + 1
    assert [(7, 1), (0, 3)] == [(bar.allowed, bar.denied) for bar in made if bar.allowed or bar.denied]
    for bar in made:
        assert bar.denied_y >= 0
        assert bar.allowed_y + bar.allowed_height <= 120.1
        assert not bar.denied or bar.denied_height >= 2


def test_record_is_whole_and_leads_on(signed_in: Browser, person: Person) -> None:
    """
    A denial shows its reason, what it means, and why; the record shows what was logged.
    """
    account = account_of(person, "etl")
    record(account, datetime.now(UTC), allowed=False)
    text = signed_in.text(_path(person, "requests"))

    assert 'href="/docs/errors/permission_missing"' in text
    assert f"explain?principal={account.id}&amp;permission=report%3Aread" in text
    assert '<dt>address</dt><dd class="mono small anywhere">10.0.0.7</dd>' in text
    assert '<dt>account.name</dt><dd class="mono small anywhere">etl</dd>' in text


def test_live_asks_for_the_same_again(signed_in: Browser, person: Person) -> None:
    """
    A live page asks for its own address; a page that is not live asks for nothing.
    """
    record(account_of(person, "etl"), datetime.now(UTC))
    live = signed_in.text(_path(person, "requests?decision=allowed&live=yes"))

    assert 'hx-trigger="every 5s"' in live
    assert "requests?decision=allowed&amp;live=yes" in live
    assert 'hx-trigger="every 5s"' not in signed_in.text(_path(person, "requests"))


def test_who_may_not_read_the_log_sees_no_chart(browser: Browser, server_database: str) -> None:
    """
    The chart is refused to whom the log is refused.
    """
    member = make_person(roles=("member",))
    browser.sign_in(member.email, member.password)
    text = browser.text(_path(member, "requests/chart"))

    assert "request_log:read" in text
    assert "<svg viewBox" not in text
