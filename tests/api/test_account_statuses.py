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


def found(world: World, query: str) -> set[str]:
    """The names of the accounts that a filter finds."""
    return {item["name"] for item in world.owner.get(f"{ACCOUNTS}?{query}").json["items"]}


def test_accounts_by_days_environment_group_and_team(world: World) -> None:
    """
    Unused is what was neither used nor made in the days; a key that has ended, or is revoked, ends no more.
    """
    old, used, ended, young = (
        aged(world, "old"),
        aged(world, "used"),
        world.account("ended"),
        world.account("young"),
    )
    for account, days in ((used, 3), (ended, -1), (young, 30)):
        key, _ = world.key(account)
        put_back(Credential, key.id, expires_at=datetime.now(UTC) + timedelta(days=days))
        if account is used:
            use(world, key.id, account.id)
    world.owner.patch(f"{ACCOUNTS}/{old.id}", {"environment": "staging"})
    for kind, name in (("groups", "Data"), ("teams", "Blue")):
        made = world.owner.post(f"/v1/{kind}", {"name": name}).json["id"]
        world.owner.post(f"/v1/{kind}/{made}/add", {"members": [old.id]})
        assert {"old"} == found(world, f"{kind[:-1]}={name}") == found(world, f"{kind[:-1]}={made}")

    assert {"old"} == found(world, "unused_for=90") & {"old", "used", "young"}
    assert set() == found(world, "unused_for=101")
    assert {"used"} == found(world, "expires_within=14")
    assert {"used", "young"} == found(world, "expires_within=31")
    assert {"old"} == found(world, "environment=staging") == found(world, "environment=staging&unused_for=90")
    assert 404 == world.owner.get(f"{ACCOUNTS}?group=nobody").status
    assert 404 == world.owner.get(f"{ACCOUNTS}?team=Data").status
    assert 400 == world.owner.get(f"{ACCOUNTS}?unused_for=0").status
