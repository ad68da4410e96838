"""Statuses of accounts: the list, its filter and its counts say the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from retinue.server.credentials.queries import Credential
from retinue.server.directory.queries import Principal
from retinue.server.status import ACCOUNT_STATUSES
from tests.api.lists import put_back
from tests.api.policies import set_policy
from tests.api.test_key_rotation import use
from tests.api.world import World

ACCOUNTS = "/v1/service-accounts"


def aged(world: World, name: str) -> Principal:
    """An account that was made 100 days ago."""
    made = world.account(name)
    put_back(Principal, made.id, created_at=datetime.now(UTC) - timedelta(days=100))
    return made


def one_of_each(world: World) -> dict[str, str]:
    """Make an account of each status, and of near misses; return their names by id, each name its status."""
    made = {}
    for name in ("active new", "disabled", "deleted", "ownerless", "idle unused", "attention", "active used"):
        account = (
            aged(world, name) if name.split()[-1] in ("unused", "used", "attention") else world.account(name)
        )
        made[account.id] = name.split()[0]
        if name in ("attention", "active used"):
            key, _ = world.key(account)
            use(world, key.id, account.id)
        if name == "attention":
            put_back(Credential, key.id, expires_at=datetime.now(UTC) + timedelta(days=3))
        if name == "disabled":
            world.owner.post(f"{ACCOUNTS}/{account.id}/disable")
        if name == "deleted":
            world.owner.delete(f"{ACCOUNTS}/{account.id}")
        if name == "ownerless":
            set_policy(world, accounts__required=["name"])
            assert world.owner.patch(f"{ACCOUNTS}/{account.id}", {"owners": []}).status == 200
    return made


def test_filter_and_counts_say_what_the_list_says(world: World) -> None:
    """
    An account of each status is listed with it, found by it alone, and counted once.
    """
    made = one_of_each(world)
    counts = world.owner.get(f"{ACCOUNTS}/counts").json

    for word in ACCOUNT_STATUSES:
        items = world.owner.get(f"{ACCOUNTS}?status={word}").json["items"]
        expected = {ident for ident, name in made.items() if name == word}
        assert (word, expected) == (word, {item["id"] for item in items})
        assert {word} == {item["status"] for item in items}
        assert (word, len(expected)) == (word, counts[word])


def test_counts_follow_the_other_filters(world: World) -> None:
    """
    Counts are those of the search; nothing of another organization is counted.
    """
    world.account("etl-a")
    world.account("etl-b")
    world.account("ci")
    World.create().account("etl-c")

    assert 2 == world.owner.get(f"{ACCOUNTS}/counts?search=etl").json["active"]
    assert 3 == world.owner.get(f"{ACCOUNTS}/counts").json["active"]


def test_idle_key_is_found_as_such(world: World) -> None:
    """
    A key that was used once and not for 90 days is idle, in the list and by the filter.
    """
    account = world.account()
    old, _ = world.key(account, "old")
    new, _ = world.key(account, "new")
    for key in (old, new):
        use(world, key.id, account.id)
    from retinue.server.traffic.models import Usage

    Usage.objects.filter(credential=old.id).update(last_used_at=datetime.now(UTC) - timedelta(days=91))

    assert [(old.id, "idle")] == [
        (item["id"], item["status"]) for item in world.owner.get("/v1/keys?status=idle").json["items"]
    ]
    assert [new.id] == [item["id"] for item in world.owner.get("/v1/keys?status=active").json["items"]]


def test_nothing_is_idle_where_the_policy_names_no_days(world: World) -> None:
    """
    Neither in the list, nor by the filter, nor in the counts.
    """
    account = aged(world, "idle unused")
    told = []
    for days in (90, None):
        set_policy(world, idle__days=days)
        shown = world.owner.get(f"{ACCOUNTS}/{account.id}").json["status"]
        found = world.owner.get(f"{ACCOUNTS}?status=idle").json["items"]
        told.append((shown, len(found), world.owner.get(f"{ACCOUNTS}/counts").json["idle"]))

    assert [("idle", 1, 1), ("active", 0, 0)] == told
