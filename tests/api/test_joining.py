"""A new service account is put into groups in the call that creates it."""

from __future__ import annotations

from typing import Any

from tests.api.world import JSON, World

ACCOUNTS, GROUPS = "/v1/service-accounts", "/v1/groups"


def _new(world: World, *groups: str, **given: Any) -> JSON:
    return {"name": "etl", "purpose": "x", "owners": [world.owner.id], "groups": list(groups)} | given


def _group(world: World, *permissions: str) -> str:
    body = {"name": f"g-{len(permissions)}", "permissions": list(permissions), "justification": "x"}
    answer = world.owner.post(GROUPS, body)
    assert answer.status == 201, answer.text
    return str(answer.json["id"])


def test_it_joins_them_all_or_is_not_made(world: World) -> None:
    """
    With two groups the account is in both; with one that is not there nothing is made, and the place is named.
    """
    first, second = _group(world, "report:read"), _group(world, "report:read", "report:write")
    refused = world.owner.post(ACCOUNTS, _new(world, first, "grp_0000000000000000"))
    made = world.owner.post(ACCOUNTS, _new(world, first, second, first))
    held = world.owner.get(f"{ACCOUNTS}/{made.json['id']}/permissions").json["items"]

    assert (404, "not_found", "body.groups.1") == (refused.status, refused.code, refused.field)
    assert 201 == made.status
    assert ["report:read", "report:write"] == sorted(each["permission"] for each in held)
    assert 1 == len(world.owner.get(ACCOUNTS).json["items"])


def test_it_takes_the_permission_to_change_groups(world: World) -> None:
    """
    Who may create accounts and change no group is refused; so is a group that has more than the caller.
    """
    group = _group(world, "report:write")
    creator = world.caller("service_account:create")
    joiner = world.caller("service_account:create", "group:update")
    answers = [each.post(ACCOUNTS, _new(world, group)) for each in (creator, joiner)]

    assert [(403, "permission_missing"), (403, "ceiling_exceeded")] == [
        (each.status, each.code) for each in answers
    ]
    assert ["group:update"] == answers[0].json["required"]
    assert "body.groups.0" == answers[1].field


def test_groups_that_follow_a_rule_take_nobody(world: World) -> None:
    """
    A group whose members follow a rule, and one of another organization, are refused as they are later.
    """
    people = next(each["id"] for each in world.owner.get(GROUPS).json["items"] if each["name"] == "People")
    answers = [
        world.owner.post(ACCOUNTS, _new(world, people)),
        world.owner.post(ACCOUNTS, _new(world, _group(World.create()))),
    ]

    assert [(409, "locked"), (404, "not_found")] == [(each.status, each.code) for each in answers]
