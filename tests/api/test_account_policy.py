"""Accounts by the policy: typed attributes, where they stand in lists, words, and deletion of many."""

from __future__ import annotations

from typing import Any

import pytest

from retinue.server.access.conditions import Condition, matches
from retinue.server.access.loading import subjects_of
from tests.api.test_naming import create, policy
from tests.api.world import World

ATTRIBUTES = [
    {"name": "tier", "values": ["gold", "silver"], "default": "silver"},
    {"name": "cost_center", "type": "number"},
    {"name": "external", "type": "flag", "default": "false"},
]


def test_attributes_are_typed(world: World) -> None:
    """
    Declared attributes are kept with their type, and their defaults where none is given; others are refused.
    """
    policy(world, accounts__attributes=ATTRIBUTES)
    made = create(world, "a", attributes={"cost_center": 12}).json
    changed = world.owner.patch(f"/v1/service-accounts/{made['id']}", {"attributes": {"tier": "gold"}}).json
    [event] = world.owner.get(f"/v1/audit-events?subject={made['id']}&type=account.updated").json["items"]

    assert {"tier": "silver", "cost_center": 12, "external": False} == made["attributes"]
    assert {"tier": "gold", "external": False} == changed["attributes"] == event["after"]["attributes"]


@pytest.mark.parametrize(
    "given",
    [{"tier": "bronze"}, {"cost_center": "12"}, {"cost_center": True}, {"external": "no"}, {"color": "red"}],
)
def test_attribute_that_is_not_declared_so_is_refused(world: World, given: dict[str, Any]) -> None:
    """
    A value outside the declared ones, of another type, or of an unknown attribute is refused by its name.
    """
    policy(world, accounts__attributes=ATTRIBUTES)
    answer = create(world, "a", attributes=given)

    assert (400, f"body.attributes.{next(iter(given))}") == (answer.status, answer.field)


@pytest.mark.parametrize(
    ("placed", "kinds", "all_kinds"),
    [
        ("separate", ["user"], ["service_account", "user"]),
        ("badged", ["service_account", "user"], ["service_account", "user"]),
        ("hidden", ["user"], None),
    ],
)
def test_accounts_stand_where_the_policy_wants_them(
    world: World, placed: str, kinds: list[str], all_kinds: list[str] | None
) -> None:
    """
    By default the list has people, or both with a badge; where accounts are hidden they are never in it.
    """
    world.account("etl")
    policy(world, accounts__list_with_users=placed)
    items = world.owner.get("/v1/principals").json["items"]
    both = world.owner.get("/v1/principals?kind=all")

    assert kinds == sorted(each["kind"] for each in items)
    assert all_kinds == (sorted(each["kind"] for each in both.json["items"]) if both.status == 200 else None)
    assert {"service account"} >= {each["badge"] for each in items if each["badge"]}


def test_words_are_those_of_the_pack(world: World) -> None:
    """
    The words for people follow the policy; names of fields do not.
    """
    before = world.owner.get("/v1/terminology").json
    policy(world, terminology="precisely")
    after = world.owner.get("/v1/terminology").json

    assert ("retinue", "service account") == (before["pack"], before["words"]["service_account"]["one"])
    assert ("precisely", "service users") == (after["pack"], after["words"]["service_account"]["many"])
    assert before["words"].keys() == after["words"].keys()


def test_presets_make_handles_as_their_products_do(world: World) -> None:
    """
    A preset's template and uniqueness hold for its organization.
    """
    policy(world, "wavefront")

    assert "sa::nightly-load" == create(world, "Nightly Load").json["handle"]


def test_many_accounts_are_deleted_where_the_policy_lets_that(world: World) -> None:
    """
    One call deletes one account, or with the policy's word more.
    """
    ids = [world.account(name).id for name in ("a", "b")]
    first = world.owner.post("/v1/bulk/service-accounts/delete", {"accounts": ids})
    policy(world, accounts__delete_bulk=True)
    second = world.owner.post("/v1/bulk/service-accounts/delete", {"accounts": ids})

    assert (409, 200) == (first.status, second.status)
    assert [] == world.owner.get("/v1/service-accounts").json["items"]


def test_conditions_see_attributes(world: World) -> None:
    """
    A condition on an attribute holds for accounts that have the value, `*` for those that have any; without
    the attribute it is false.
    """
    policy(world, accounts__attributes=[{"name": "tier"}, {"name": "size", "type": "number"}])
    create(world, "a", attributes={"tier": "gold", "size": 3})
    create(world, "b")
    subjects = {each.name: each for each in subjects_of(world.organization.id)}
    asked = [("attributes.tier", "gold"), ("attributes.size", "3"), ("attributes.tier", "*")]
    found = {
        name: [matches("all", [Condition(place, (value,))], subjects[name]) for place, value in asked]
        for name in ("a", "b")
    }

    assert {"a": [True] * 3, "b": [False] * 3} == found
