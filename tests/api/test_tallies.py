"""Counts of the request log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from retinue.server.traffic import tallying
from retinue.server.traffic.models import Request
from tests.api.world import Answer, World

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
DAY = "since=2026-03-01T00:00:00Z&until=2026-03-02T00:00:00Z"


def fill(world: World) -> str:
    """Ten decisions a second apart: five about an account, four about another, one about nobody known."""
    etl, web = world.account("etl").id, world.account("web").id
    accounts = [etl] * 5 + [web] * 4 + ["sa_gone"]
    Request.objects.bulk_create(
        Request(
            at=BEGIN + timedelta(seconds=number), organization=world.organization.id, account=account,
            account_kind="service_account", allowed=number % 3 != 0, node="local", path=f"/p{number % 2}",
            reason="" if number % 3 else "credential_revoked", status=0,
        )
        for number, account in enumerate(accounts)
    )  # fmt: skip
    return etl


def tally(world: World, query: str = DAY) -> Answer:
    """Ask for counts."""
    return world.owner.get(f"/v1/requests/tally?{query}")


def shown(answer: Answer) -> list[tuple[Any, ...]]:
    """Return each count without its time."""
    return [
        tuple(each[name] for name in ("value", "name", "allowed", "denied")) for each in answer.json["items"]
    ]


def test_decisions_are_counted_by_what_is_asked_for(world: World) -> None:
    """
    By account with its name, by reason and path; the most frequent first, of this organization and time alone.
    """
    etl = fill(world)
    other = World.create()
    fill(other)
    by_account = tally(world)
    rows = shown(by_account)

    assert [("etl", 3, 2), ("web", 3, 1), (None, 0, 1)] == [row[1:] for row in rows]
    assert (etl, "sa_gone") == (rows[0][0], rows[2][0])
    assert (True, 6, 4) == tuple(by_account.json[name] for name in ("whole", "allowed", "denied"))
    assert "2026-03-01T00:00:04.000Z" == by_account.json["items"][0]["last_at"]
    assert [(None, None, 6, 0), ("credential_revoked", None, 0, 4)] == shown(tally(world, f"{DAY}&by=reason"))
    assert [("/p0", None, 3, 2), ("/p1", None, 3, 2)] == shown(tally(world, f"{DAY}&by=path"))
    assert [("etl", 0, 2)] == [row[1:] for row in shown(tally(world, f"{DAY}&account=etl&decision=denied"))]
    assert 1 == len(tally(world, f"{DAY}&limit=1").json["items"])
    assert [] == tally(world, "by=node").json["items"]


@pytest.mark.parametrize(
    "query",
    [
        "by=secret",
        "limit=0",
        "limit=201",
        "since=now",
        "since=2026-03-02T00:00:00Z&until=2026-03-01T00:00:00Z",
        "since=0001-01-01T00:00:00Z&until=0001-01-01T00:00:00Z",
    ],
)
def test_what_cannot_be_counted_is_refused(world: World, query: str) -> None:
    """
    400, naming the parameter.
    """
    answer = tally(world, query)

    assert 400 == tally(world, "until=0001-01-01T00:00:00Z").status
    assert (400, f"query.{query.partition('=')[0]}") == (answer.status, answer.field)


def test_only_the_newest_of_many_are_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The answer says since when, and that it is not all; what is counted is all from then on.
    """
    fill(world)
    monkeypatch.setattr(tallying, "MOST", 4)
    cut = tally(world)

    assert (False, "2026-03-01T00:00:05.001Z", 4) == (
        cut.json["whole"], cut.json["since"], cut.json["allowed"] + cut.json["denied"],
    )  # fmt: skip
    assert [("web", 2, 1), (None, 0, 1)] == [row[1:] for row in shown(cut)]
