"""Searches of the request log for what no index finds: what is found, and how much is looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from retinue.server.api import requests
from retinue.server.traffic import queries
from retinue.server.traffic.models import Request
from retinue.server.traffic.searching import Sought
from tests.api.world import World

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
#: method, path, address, node, status
ROWS = (
    ("GET", "/reports", "10.1.0.1", "edge", 200),
    ("GET", "/reports/7", "10.1.255.9", "edge", 404),
    ("POST", "/Reports", "10.2.0.1", "local", 422),
    ("GET", "/exports/reports", "2001:db8::1", "local", 503),
    ("GET", "/100%", "", "local", 0),
    ("HEAD", "/100x", "2001:db8:0:1::5", "far", 301),
)


@pytest.fixture
def log(world: World) -> World:
    """An organization with six decisions, a second apart."""
    Request.objects.bulk_create(
        Request(
            at=BEGIN + timedelta(seconds=number), organization=world.organization.id, account="sa_x", allowed=True,
            permission=f"report:{'read' if method == 'GET' else 'write'}", client=f"loader/{number}",
            method=method, path=path, address=address, node=node, status=status,
        )
        for number, (method, path, address, node, status) in enumerate(ROWS)
    )  # fmt: skip
    return world


def _found(log: World, query: str) -> list[int]:
    """Return which of the rows a search finds, the first first."""
    answer = log.owner.get(f"/v1/requests?until=2026-03-02T00:00:00Z&{query}")
    assert 200 == answer.status, answer.text
    return sorted((datetime.fromisoformat(each["at"]) - BEGIN).seconds for each in answer.json["items"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("path=/reports", [0, 1]),
        ("path=/reports/", [1]),
        ("path=reports", [0, 1, 3]),
        ("path=Reports", [2]),
        ("path=0%25", [4]),
        ("path=/100_", []),
        ("status=404", [1]),
        ("status=4xx", [1, 2]),
        ("status=2xx", [0]),
        ("address=10.1.0.1", [0]),
        ("address=10.1.0.0/16", [0, 1]),
        ("address=10.1.0.0/17", [0]),
        ("address=10.1.0.1/8", [0, 1, 2]),
        ("address=2001:DB8:0:0::1", [3]),
        ("address=2001:db8::/32", [3, 5]),
        ("address=2001:db8::/64", [3]),
        ("node=edge", [0, 1]),
        ("node=edg", []),
        ("method=get", [0, 1, 3, 4]),
        ("method=GET&address=10.0.0.0/8&status=2xx&path=/rep&node=edge&account=sa_x", [0]),
        ("decision=denied&method=GET", []),
        ("permission=report:write", [2, 5]),
        ("permission=report", []),
        ("client=loader/3", [3]),
        ("client=oader&permission=report:read", [0, 1, 3, 4]),
        ("client=Loader", []),
    ],
)
def test_search(query: str, expected: list[int], log: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Letters and the signs of patterns are as they are; filters add up; an unknown status is of no class.
    """
    monkeypatch.setattr("retinue.server.api.requests.directory.id_of", lambda _organization, name: name)

    assert expected == _found(log, query)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=4x", "query.status"),
        ("status=600", "query.status"),
        ("address=10.0.0", "query.address"),
        ("address=10.0.0.0/40", "query.address"),
        ("path=", "query.path"),
        ("method=G-T", "query.method"),
        ("node=", "query.node"),
        ("permission=", "query.permission"),
        ("client=", "query.client"),
        ("path=a%00b", "query.path"),
        ("node=a%00b", "query.node"),
    ],
)
def test_what_is_no_filter_is_refused(query: str, field: str, log: World) -> None:
    """
    The answer names the field; nothing is looked for.
    """
    answer = log.owner.get(f"/v1/requests?{query}")

    assert (400, field) == (answer.status, answer.json["field"])


def test_a_search_looks_at_so_many_and_goes_on(log: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    With portions of two, two a call: the first call finds nothing and says where to go on; nothing is told twice.
    """
    monkeypatch.setattr(requests, "PORTION", 2)
    monkeypatch.setattr(requests, "PORTIONS", 2)
    start = "/v1/requests?until=2026-03-02T00:00:00Z&limit=1&path=/reports"
    pages: list[dict[str, Any]] = [log.owner.get(start).json]
    while pages[-1]["next"]:
        pages.append(log.owner.get(f"{start}&cursor={pages[-1]['next']}").json)

    assert [[], ["/reports/7"], ["/reports"]] == [
        [each["path"] for each in page["items"]] for page in pages if page["items"] or page is pages[0]
    ]
    assert len(pages) <= 4


def test_a_portion_is_read_by_the_index(log: World) -> None:
    """
    In the order of an index, so that a million records cost no more than a few portions; nothing is sorted.
    """
    sought = Sought(path="/reports", status="4xx", node="edge", method="GET", address="10.1.0.1")
    rows = sought.among(queries.requests(log.organization.id, since=BEGIN)).order_by("-at", "-id")[:50]
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                for each in ("seqscan", "bitmapscan", "sort"):  # what it would rather do with six rows
                    cursor.execute(f"SET LOCAL enable_{each} = off")
        plan = rows.explain()

    assert "request_by_organization" in plan
    assert "TEMP B-TREE" not in plan.upper()
