"""The request log: its chart agrees with its rows, a record is whole, and what callers sent is text."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from retinue.server.console import exporting, tables
from retinue.server.console.charting import MOST, MOST_MARKS, bars, ceiling, floor, ticks, unit_of
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
        seen[query] = re.findall(r"</b>(\d+) (allowed|denied)</a>", text)

    assert {
        "": [("4", "allowed"), ("1", "denied")],
        "?account=etl": [("3", "allowed"), ("1", "denied")],
        "?range=1h": [("3", "allowed"), ("1", "denied")],
        "?range=7d": [("5", "allowed"), ("1", "denied")],
        "?decision=denied": [("0", "allowed"), ("1", "denied")],
    } == seen


@pytest.mark.parametrize("hours", [1 / 12, 0.5, 1, 3, 24, 168, 720, 24 * 90])
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
    marks = ticks(made)
    steps = {later.begin - mark.begin for mark, later in pairwise(marks)}
    assert 1 <= len(marks) <= MOST_MARKS
    assert 1 >= len(steps)


@pytest.mark.parametrize(
    ("most", "top"), [(0, 2), (1, 2), (2, 2), (3, 4), (11, 20), (99, 100), (100, 100), (7_001, 8_000)]
)
def test_scale_is_round_and_has_room(most: int, top: int) -> None:
    """
    The number at the top of the scale is round, and not much above the highest bar.
    """
    assert top == ceiling(most)


def _rows(text: str) -> int:
    return text.count('class="popover drawer"')


def test_range_narrows_rows_and_chart(signed_in: Browser, person: Person) -> None:
    """
    A range says how far back rows and chart look, also in five minutes; its next page goes on from the same
    instant, and instants that are picked win over it.
    """
    account, now = account_of(person, "etl"), datetime.now(UTC)
    for minutes in (1, 2, 30, 60 * 30):
        record(account, now - timedelta(minutes=minutes), path=f"/{minutes}")
    seen = {
        each: _rows(signed_in.text(_path(person, f"requests?range={each}")))
        for each in ("5m", "1h", "7d", "")
    }
    text = signed_in.text(
        _path(person, f"requests?range=5m&since={now - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}")
    )
    nothing = signed_in.text(_path(person, "requests?range=5m&decision=denied"))

    assert {"5m": 2, "1h": 3, "7d": 4, "": 4} == seen
    assert 3 == _rows(text)
    assert "No row matches." in nothing
    assert '<input type="hidden" name="range" value="5m">' in nothing


def test_picked_instants_are_utc_and_stand_in_the_address(signed_in: Browser, person: Person) -> None:
    """
    What the field of a browser gives has no zone: the page goes on to the address that has one. What is no
    instant is refused beside its field, as it was written.
    """
    record(account_of(person, "etl"), datetime(2026, 3, 10, 14, 2, tzinfo=UTC))
    query = "requests?since=2026-03-10T14%3A00&until=2026-03-10T14%3A30&account=etl"
    onward = signed_in.get(_path(person, query)).headers["Location"]
    text = signed_in.text(onward)
    wrong = signed_in.get(_path(person, "requests?since=yesterday"))

    assert "since=2026-03-10T14%3A00%3A00Z" in onward
    assert 'type="datetime-local" step="any" name="since" value="2026-03-10T14:00"' in text
    assert 1 == _rows(text)
    assert 400 == wrong.status_code
    assert 'type="text" name="since" value="yesterday"' in wrong.content.decode()


def test_legend_and_zoom_narrow_and_widen_the_time(signed_in: Browser, person: Person) -> None:
    """
    The legend asks for what it names, and once more for all; a bar asks for its own time, and Zoom out for four
    times as much.
    """
    record(account_of(person, "etl"), datetime(2026, 3, 10, 12, 2, tzinfo=UTC), allowed=False)
    hour = "since=2026-03-10T12%3A00%3A00Z&until=2026-03-10T13%3A00%3A00Z"
    text = signed_in.text(_path(person, f"requests/chart?{hour}"))
    chosen = signed_in.text(_path(person, f"requests/chart?{hour}&decision=denied"))

    assert "decision=denied" in text
    assert re.search(r'href="[^"]*" aria-current="true"><b class="swatch swatch-denied"', chosen)
    assert "since=2026-03-10T12%3A02%3A00%2B00%3A00&amp;until=2026-03-10T12%3A03%3A00%2B00%3A00" in text
    assert 200 == signed_in.get(_path(person, "requests/chart?since=0001-01-01T00%3A00%3A00Z")).status_code
    assert "since=2026-03-10T10%3A30%3A00%2B00%3A00&amp;until=2026-03-10T14%3A30%3A00%2B00%3A00" in text
    assert ">2</span>" in text  # the top of the scale
    assert ">12:15</text>" in text
    assert "Zoom out" not in signed_in.text(_path(person, "requests/chart"))


def test_rows_leave_as_files(signed_in: Browser, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The rows that match leave as a table of the columns shown, or as whole records, one a line: the newest, so
    many at most, as the page says.
    """
    account, now = account_of(person, "etl"), datetime.now(UTC)
    for minutes in (1, 2, 3):
        record(account, now - timedelta(minutes=minutes), path=f"/r/{minutes}", client="=1+1")
    record(account, now, path="/other")
    page = signed_in.text(_path(person, "requests?path=/r"))
    files = [re.sub("&amp;", "&", each) for each in re.findall(r'href="([^"]*requests/export[^"]*)"', page)]
    table = list(
        csv.DictReader(
            io.StringIO(b"".join(signed_in.get(files[0] + "&columns=decision,request,client")).decode())
        )
    )
    lines = [json.loads(line) for line in b"".join(signed_in.get(files[1])).splitlines()]
    short = tables.TABLES | {"requests": replace(tables.TABLES["requests"], most=2)}
    monkeypatch.setattr(tables, "TABLES", short)
    cut = b"".join(signed_in.get(files[1])).splitlines()
    monkeypatch.setattr(exporting, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(exporting, "MANY", "1")
    first = b"".join(signed_in.get(files[1])).splitlines()

    assert ["/r/1", "/r/2", "/r/3"] == [row["path"] for row in table]
    assert {"id", "at", "decision", "reason", "method", "path", "client"} == set(table[0])
    assert "'=1+1" == table[0]["client"]
    assert [account.id] * 3 == [each["account"]["id"] for each in lines]
    assert 2 == len(cut)
    assert cut[:1] == first  # it is looked for so long at most
    assert "The newest 10,000 rows that match" in page


def test_record_is_whole_and_leads_on(signed_in: Browser, person: Person) -> None:
    """
    A denial shows its reason, what it means, and why; the record shows what was logged.
    """
    account = account_of(person, "etl")
    record(account, datetime.now(UTC), allowed=False)
    text = signed_in.text(_path(person, "requests"))
    whole = json.loads(html.unescape(text.split('<pre tabindex="0"><code>')[1].split("</code>")[0]))

    assert (account.id, "/reports", 40) == (whole["account"]["id"], whole["path"], whole["duration_us"])
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
    assert 'class="plot"' not in text
