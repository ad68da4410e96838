"""``/v1/groups`` and ``/v1/teams``: members, what they carry, locked parts, and resources."""

from __future__ import annotations

import pytest

from tests.api.policies import set_policy
from tests.api.world import World

JSON = dict[str, object]


def test_a_group_gives_what_it_carries(world: World) -> None:
    """
    A member has the group's roles and grants from the next call on, and no more after it left.
    """
    account = world.account()
    caller = world.calls(account)
    made = world.owner.post(
        "/v1/groups", {"name": "Data", "roles": ["auditor"], "permissions": ["user:create"]}
    )
    path = f"/v1/groups/{made.json['id']}"
    before = caller.get("/v1/users").status
    joined = world.owner.post(f"{path}/add", {"members": [account.handle]})
    during = caller.get("/v1/users").status
    left = world.owner.post(f"{path}/remove", {"members": [account.id]})

    assert (201, 200, 200) == (made.status, joined.status, left.status), (made.text, joined.text, left.text)
    assert (403, 200, 403) == (before, during, caller.get("/v1/users").status)
    assert left.json["receipt"]["complete"]
    assert (0, ["auditor"]) == (left.json["members"], left.json["roles"])


def test_a_rule_takes_everybody_in_and_nobody_out(world: World) -> None:
    """
    The members of a system group follow its rule: they are listed, and cannot be put in or taken out; its
    locked parts are refused with which.
    """
    account = world.account()
    groups = {each["name"]: each for each in world.owner.get("/v1/groups").json["items"]}
    people = f"/v1/groups/{groups['People']['id']}"
    services = f"/v1/groups/{groups['Service accounts']['id']}"
    listed = [each["principal"]["id"] for each in world.owner.get(f"{services}/members").json["items"]]
    refused = [
        world.owner.post(f"{people}/add", {"members": [account.id]}),
        world.owner.post(f"{services}/remove", {"members": [account.id]}),
        world.owner.patch(people, {"name": "Humans"}),
        world.owner.delete(people),
        world.owner.post("/v1/grants", {"subject": groups["People"]["id"], "permission": "user:read"}),
    ]

    assert {"People", "Service accounts"} == set(groups)
    assert [account.id] == listed
    assert [(409, "locked")] * 5 == [(each.status, each.code) for each in refused]


def test_a_grant_to_all_service_accounts_reaches_each(world: World) -> None:
    """
    What the group of all service accounts carries reaches every one, also those that are made later, and no
    person.
    """
    groups = {each["name"]: each["id"] for each in world.owner.get("/v1/groups").json["items"]}
    early = world.calls(world.account("early"))
    granted = world.owner.post(
        "/v1/grants", {"subject": groups["Service accounts"], "permission": "user:read"}
    )
    late = world.calls(world.account("late"))
    _, person = world.user()

    assert 201 == granted.status
    assert [200, 200, 403] == [each.get("/v1/users").status for each in (early, late, person)]
    world.owner.delete(f"/v1/grants/{granted.json['id']}")
    assert [403, 403] == [each.get("/v1/users").status for each in (early, late)]


def test_a_condition_follows_the_account(world: World) -> None:
    """
    Who matches the conditions of a group is in it, and a change of the account or the conditions moves it.
    """
    account = world.account()
    conditions = [
        {"field": "environment", "values": ["prod*"]},
        {"field": "kind", "values": ["service_account"]},
    ]
    made = world.owner.post(
        "/v1/groups",
        {"name": "Production", "rule": "condition", "conditions": conditions, "permissions": ["user:read"]},
    )
    caller = world.calls(account)
    seen = [caller.get("/v1/users").status]
    for body in ({"environment": "production"}, {"environment": "staging"}):
        world.owner.patch(f"/v1/service-accounts/{account.id}", body)
        seen.append(caller.get("/v1/users").status)
    conditions[0]["values"] = ["staging"]
    changed = world.owner.patch(f"/v1/groups/{made.json['id']}", {"conditions": conditions})
    seen.append(caller.get("/v1/users").status)

    assert (201, 200) == (made.status, changed.status), made.text
    assert [403, 200, 403, 200] == seen


@pytest.mark.parametrize("way", ["member", "grant", "role"])
def test_a_group_is_no_way_around_the_ceiling(world: World, way: str) -> None:
    """
    Putting somebody into a group, and giving a group something, hands out what it carries.
    """
    carries = world.owner.post("/v1/groups", {"name": "Data", "permissions": ["user:read"]}).json["id"]
    caller = world.caller("group:update", "grant:create", "service_account:read")
    body: dict[str, tuple[str, JSON]] = {
        "member": (f"/v1/groups/{carries}/add", {"members": [caller.id]}),
        "grant": ("/v1/grants", {"subject": carries, "permission": "user:delete"}),
        "role": ("/v1/assignments", {"subject": carries, "role": "auditor"}),
    }
    answer = caller.post(*body[way])

    assert (403, "ceiling_exceeded") == (answer.status, answer.code), answer.text


def test_a_group_of_service_accounts_gets_nothing_forbidden(world: World) -> None:
    """
    What a service account can never have comes neither by a grant to its group nor by joining one that has it.
    """
    account = world.account()
    plain = world.owner.post("/v1/groups", {"name": "Plain", "members": [account.id]}).json["id"]
    strong = world.owner.post("/v1/groups", {"name": "Strong", "permissions": ["pat:issue"]}).json["id"]
    refused = [
        world.owner.post("/v1/grants", {"subject": plain, "permission": "pat:issue"}),
        world.owner.post("/v1/assignments", {"subject": plain, "role": "member"}),
        world.owner.post(f"/v1/groups/{strong}/add", {"members": [account.id]}),
    ]

    assert [(403, "forbidden_for_service")] * 3 == [(each.status, each.code) for each in refused]


def test_groups_do_not_nest_and_others_do_not_exist(world: World) -> None:
    """
    A group is no member of a group; ids of another organization are not found.
    """
    mine = world.owner.post("/v1/groups", {"name": "Mine"}).json["id"]
    other = World.create()
    theirs = other.owner.post("/v1/groups", {"name": "Theirs"}).json["id"]
    foreign = other.account()
    answers = [
        world.owner.post(f"/v1/groups/{mine}/add", {"members": [mine]}),
        world.owner.post(f"/v1/groups/{mine}/add", {"members": [foreign.id]}),
        world.owner.get(f"/v1/groups/{theirs}"),
        world.owner.post(f"/v1/groups/{theirs}/add", {"members": [world.account().id]}),
        world.owner.post("/v1/grants", {"subject": theirs, "permission": "user:read"}),
        world.owner.get(f"/v1/teams/{mine}"),
    ]

    assert [400, 404, 404, 404, 404, 404] == [each.status for each in answers], answers[0].text


def test_a_team_scopes_the_roles_of_its_members(world: World) -> None:
    """
    A role reaches a resource of a team only for the members of that team; a resource of no team is reached by
    all; a role that acts outside its teams reaches both.
    """
    world.owner.post("/v1/roles", {"name": "Reader", "permissions": ["report:read"]})
    world.owner.post("/v1/roles", {"name": "Seer", "permissions": ["report:read"], "bypass_scopes": True})
    inside, outside = world.account("inside", roles=("reader",)), world.account("outside", roles=("reader",))
    seer = world.account("seer", roles=("seer",))
    team = world.owner.post("/v1/teams", {"name": "Blue", "members": [inside.id]}).json["id"]
    put = world.owner.post(f"/v1/teams/{team}/resources", {"add": ["r-1"]})

    def may(account: str, resource: str | None) -> object:
        body = {"principal": account, "permission": "report:read", "resource": resource}
        return world.owner.post("/v1/decisions/explain", body).json["allowed"]

    assert (200, 1) == (put.status, put.json["resources"])
    assert [True, False, True] == [may(each.id, "r-1") for each in (inside, outside, seer)]
    assert [True, True, True] == [may(each.id, "r-2") for each in (inside, outside, seer)]
    assert [True, True, True] == [may(each.id, None) for each in (inside, outside, seer)]
    world.owner.post(f"/v1/teams/{team}/resources", {"remove": ["r-1"]})
    assert may(outside.id, "r-1")


def test_a_new_account_is_put_in_and_its_duplicate_too(world: World) -> None:
    """
    An account is made with its groups and teams, which count for ``accounts.required``; a duplicate is in the
    same ones, those by hand; a name that there is not is refused, and nothing is made.
    """
    group, team = (
        world.owner.post(f"/v1/{kind}s", {"name": kind.title()}).json["id"] for kind in ("group", "team")
    )
    body = {"name": "etl", "purpose": "x", "owners": [world.owner.id]}
    set_policy(world, accounts__required=["name", "group"])
    bare = world.owner.post("/v1/service-accounts", body)
    wrong = world.owner.post("/v1/service-accounts", body | {"groups": ["Grup"]})
    made = world.owner.post("/v1/service-accounts", body | {"groups": ["Group"], "teams": [team]}).json
    copy = world.owner.post(f"/v1/service-accounts/{made['id']}/duplicate", {"name": "copy"}).json

    def members(path: str) -> set[str]:
        items = world.owner.get(f"{path}/members").json["items"]
        return {each["principal"]["id"] for each in items}

    refused = [(each.status, each.field) for each in (bare, wrong)]
    assert [(400, "body.groups"), (404, "body.groups.0")] == refused
    assert {made["id"], copy["id"]} == members(f"/v1/groups/{group}") == members(f"/v1/teams/{team}")
