"""Cursors: no row lost or doubled, and none that was made for something else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import signing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retinue.server.api import cursors
from retinue.server.api.cursors import Listing, page
from retinue.server.directory import queries
from retinue.server.directory.queries import Principal
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.api.world import World

ACCOUNTS = "/v1/service-accounts"
START = datetime(2026, 1, 2, tzinfo=UTC)


def walk(world: World, path: str) -> list[str]:
    """Follow a list to its end; return the ids in their order."""
    found: list[str] = []
    cursor = ""
    while True:
        answer = world.owner.get(f"{path}&cursor={cursor}" if cursor else path)
        found += [item["id"] for item in answer.json["items"]]
        if answer.json["next"] is None:
            return found
        assert len(answer.json["next"]) <= cursors.MAX_LENGTH
        cursor = answer.json["next"]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    rows=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), max_size=12),
    size=st.integers(1, 5),
    order=st.sampled_from([("name", "id"), ("-name", "-id"), ("created_at", "id"), ("-created_at", "-id")]),
    late=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), max_size=2),
)
def test_no_row_is_lost_or_doubled_under_ties(
    server_database: str,
    rows: list[tuple[str, int]],
    size: int,
    order: tuple[str, str],
    late: list[tuple[str, int]],
) -> None:
    """
    However many rows share a sort value, and whatever is added between pages, each row that was there
    from the start is seen exactly once, in order.
    """
    world = World.create()
    listing = Listing("test", world.organization.id, {}, order)
    start = _fill(world, rows)
    added = False
    seen: list[str] = []
    cursor: str | None = None
    while True:
        found, cursor = page(queries.accounts(world.organization.id), listing, cursor=cursor, limit=size)
        seen += [row.id for row in found]
        if cursor is None:
            break
        if not added:
            _fill(world, late)
            added = True

    expected = [row.id for row in queries.accounts(world.organization.id).order_by(*order) if row.id in start]
    assert expected == [ident for ident in seen if ident in start]
    assert len(seen) == len(set(seen))


def _fill(world: World, rows: list[tuple[str, int]]) -> set[str]:
    made: set[str] = set()
    for name, day in rows:
        account = world.account(f"{name}-{len(made)}-{datetime.now(UTC).timestamp()}".replace(".", "-"))
        with transaction(SYSTEM) as tx:
            Principal.objects.filter(id=account.id).update(name=name, created_at=START + timedelta(days=day))
            tx.record("account.updated", account.id, name="a", organization=world.organization.id)
        made.add(account.id)
    return made


def test_names_that_fill_no_cursor_are_walked_too(world: World) -> None:
    """
    A cursor stays short however long the names are.
    """
    names = [chr(0x10400 + n) * 250 for n in range(5)]
    ids = [world.account(f"a{n}").id for n in range(5)]
    for ident, name in zip(ids, names, strict=True):
        world.owner.patch(f"{ACCOUNTS}/{ident}", {"name": name})

    assert sorted(ids) == sorted(walk(world, f"{ACCOUNTS}?limit=2&sort=name"))
    assert 5 == len(walk(world, f"{ACCOUNTS}?limit=2&sort=name"))


@pytest.mark.parametrize("change", ["&sort=-name", "&search=a", "&state=enabled"])
def test_cursor_of_another_list_is_refused(world: World, change: str) -> None:
    """
    A cursor continues the list that made it: same filters, same sort, same organization.
    """
    for name in "abc":
        world.account(name)
    cursor = world.owner.get(f"{ACCOUNTS}?limit=1").json["next"]
    other = World.create()
    answers = [
        world.owner.get(f"{ACCOUNTS}?limit=1&cursor={cursor}{change}"),
        other.owner.get(f"{ACCOUNTS}?limit=1&cursor={cursor}"),
        world.owner.get(f"/v1/users?limit=1&cursor={cursor}"),
        world.owner.get(f"{ACCOUNTS}?limit=1&cursor={cursor[:-2]}"),
    ]

    assert [(400, "cursor_invalid")] * 4 == [(each.status, each.code) for each in answers]
    assert 200 == world.owner.get(f"{ACCOUNTS}?limit=1&cursor={cursor}").status


def test_cursor_signed_with_the_cookie_key_is_refused(world: World) -> None:
    """
    Cursors have a key of their own.
    """
    forged: Any = signing.Signer(salt="retinue.cursor").sign_object(["x", "y"])
    answer = world.owner.get(f"{ACCOUNTS}?cursor={forged}")

    assert (400, "cursor_invalid") == (answer.status, answer.code)
