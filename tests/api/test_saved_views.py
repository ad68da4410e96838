"""``/v1/saved-views``: filters, sort and columns of a list under a name; one's own, or shared."""

from __future__ import annotations

import pytest

from retinue.server.access import actions as access
from retinue.server.directory.models import Principal, SavedView
from retinue.server.ledger.guard import suspended_for_schema_changes
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.api.view_cases import LIST, new, saved
from tests.api.world import Caller, World


def _colleague(world: World, *permissions: str) -> Caller:
    return world.caller(*(permissions or ("service_account:read",)))


def _administrator(world: World) -> tuple[Principal, Caller]:
    user, caller = world.user()
    with transaction(SYSTEM, reason="test") as tx:
        access.assign_roles(tx, user, ["administrator"], "may share")
    return user, caller


def _names(caller: Caller, query: str = "") -> list[str]:
    return [each["name"] for each in caller.get(f"{LIST}{query}").json["items"]]


def test_what_was_saved_comes_back(world: World) -> None:
    """
    Filters, sort, columns and density stand in the view as they were saved, and it is its maker's alone.
    """
    body = new("Idle here", sort="-created_at", columns=["owner", "teams"], density="compact")
    made = world.owner.post(LIST, body)
    found = world.owner.get(f"{LIST}/{made.json['id']}").json

    assert (201, made.json) == (made.status, found)
    assert {"status": "idle"} == found["filters"]
    assert ("-created_at", ["owner", "teams"], "compact", False, []) == tuple(
        found[name] for name in ("sort", "columns", "density", "shared", "stale")
    )
    assert world.owner.id == found["owner"]["id"]
    assert [] == _names(_colleague(world))
    assert 404 == _colleague(world).get(f"{LIST}/{found['id']}").status


def test_a_shared_view_is_seen_and_changed_by_nobody_who_may_not(world: World) -> None:
    """
    Everybody in the organization sees it, nobody elsewhere; only who may share shares, changes or deletes it.
    """
    other, stranger = _colleague(world), World.create().owner
    path = saved(world.owner, "Ours", shared=True)
    refused = [
        other.post(LIST, new("Mine", shared=True)),
        other.patch(path, {"sort": "-name"}),
        other.delete(path),
        other.patch(saved(other, "Own"), {"shared": True}),
    ]

    assert ["Ours", "Own"] == _names(other)
    assert [403] * 4 == [answer.status for answer in refused]
    assert {"saved_view:share"} == {answer.json["required"][0] for answer in refused}
    assert ([], 404) == (_names(stranger), stranger.get(path).status)
    assert None is world.owner.get(path).json["sort"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"filters": {"colour": "red"}}, "body.filters.colour"),
        ({"filters": {"status": "asleep"}}, "body.filters.status"),
        ({"filters": {"search": "a\u202eb"}}, "body.filters.search"),
        ({"sort": "size"}, "body.sort"),
        ({"columns": ["shoe_size"]}, "body.columns.shoe_size"),
        ({"name": " "}, "body.name"),
        ({"list": "nodes"}, "body.list"),
    ],
)
def test_what_the_list_does_not_have_is_refused(world: World, given: dict[str, object], field: str) -> None:
    """
    An unknown filter, a value it does not take, another sort or column: refused by name, nothing is saved.
    """
    answer = world.owner.post(LIST, {**new("x"), **given})

    assert (400, field) == (answer.status, answer.field)
    assert [] == _names(world.owner)


def test_a_name_is_one_view_of_a_list(world: World) -> None:
    """
    A second view of the same name is refused, whatever its case; of another list it is not.
    """
    saved(world.owner, "Idle")
    again = world.owner.post(LIST, new("IDLE"))
    elsewhere = world.owner.post(
        LIST, {"list": "requests", "name": "Idle", "filters": {"decision": "denied"}}
    )
    shared = saved(world.owner, "Ours", shared=True)
    other = _colleague(world, "saved_view:share")
    taken = other.post(LIST, new("ours", shared=True))

    assert (409, "body.name") == (again.status, again.field)
    assert 201 == elsewhere.status
    assert (409, "body.name") == (taken.status, taken.field)
    assert 200 == world.owner.get(shared).status


def test_a_shared_view_of_who_left_stays_and_is_handed_over(world: World) -> None:
    """
    The private views of a user who is deleted go; a shared one stays, says that its owner left, and is taken over.
    """
    user, caller = _administrator(world)
    shared, private = saved(caller, "Ours", shared=True), saved(caller, "Mine")
    world.owner.delete(f"/v1/users/{user.id}")
    left = world.owner.get(shared).json
    mine = world.owner.patch(shared, {"owner": world.owner.id}).json

    assert (user.id, True) == (left["owner"]["id"], left["owner_left"])
    assert not SavedView.objects.filter(id=private.rpartition("/")[2]).exists()
    assert (world.owner.id, False) == (mine["owner"]["id"], mine["owner_left"])


def test_a_private_view_is_handed_to_nobody(world: World) -> None:
    """
    Nobody gets a view into the list of their own ones, and nobody's shared view is made private by another.
    """
    user, caller = _administrator(world)
    given = world.owner.patch(saved(world.owner, "Mine"), {"owner": user.id})
    hidden = world.owner.patch(saved(caller, "Ours", shared=True), {"shared": False})

    assert (409, "body.owner") == (given.status, given.field)
    assert (409, "body.shared") == (hidden.status, hidden.field)


def test_a_view_says_what_is_there_no_more(world: World) -> None:
    """
    A filter, column or role that has gone since is named; the view still opens, and can be mended.
    """
    world.owner.post("/v1/roles", {"handle": "loader", "name": "Loader", "permissions": ["report:read"]})
    path = saved(world.owner, "Old", filters={"role": "loader"}, columns=["owner"])
    whole = world.owner.get(path).json["stale"]
    role = world.owner.get("/v1/roles?limit=200").json["items"]
    loader = next(each["id"] for each in role if each["handle"] == "loader")
    world.owner.delete(f"/v1/roles/{loader}")
    with suspended_for_schema_changes():
        SavedView.objects.filter(id=path.rpartition("/")[2]).update(
            filters={"role": "loader", "planet": "mars"}, columns=["owner", "aura"]
        )
    stale = world.owner.get(path).json["stale"]
    renamed = world.owner.patch(path, {"name": "New"})
    mended = world.owner.patch(path, {"filters": {}, "columns": ["owner"]}).json["stale"]

    assert [] == whole
    assert ["filters.planet", "columns.aura", "filters.role"] == stale
    assert 200 == renamed.status
    assert [] == mended


def test_of_views_there_are_only_so_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    One view more than a principal may have is refused.
    """
    monkeypatch.setattr("retinue.server.directory.saved_views.MOST", 2)
    saved(world.owner, "a")
    saved(world.owner, "b")

    assert 409 == world.owner.post(LIST, new("c")).status
