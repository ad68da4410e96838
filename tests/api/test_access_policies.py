"""``/v1/access-policies``: rules that become grants."""

from __future__ import annotations

from tests.api.policies import set_policy
from tests.api.world import World

PRODUCTION = [{"field": "environment", "values": ["production"]}]


def test_who_matches_has_what_the_policy_gives(world: World) -> None:
    """
    A policy gives its roles and permissions to whom it matches: as long as the account matches, and the policy
    is enabled.
    """
    account = world.account()
    caller = world.calls(account)
    made = world.owner.post(
        "/v1/access-policies", {"name": "P7", "conditions": PRODUCTION, "roles": ["auditor"]}
    )
    path = f"/v1/access-policies/{made.json['id']}"
    seen = [caller.get("/v1/users").status]
    for method, where, body in (
        ("PATCH", f"/v1/service-accounts/{account.id}", {"environment": "production"}),
        ("PATCH", path, {"enabled": False}),
        ("PATCH", path, {"enabled": True}),
        ("PATCH", path, {"conditions": [{"field": "environment", "values": ["staging"]}]}),
        ("PATCH", path, {"subjects": [account.handle]}),
        ("DELETE", path, None),
    ):
        assert 200 == world.owner.call(method, where, body).status
        seen.append(caller.get("/v1/users").status)

    assert [403, 200, 403, 200, 403, 200, 403] == seen


def test_a_policy_gives_roles_to_groups(world: World) -> None:
    """
    The path of a permission tells all its steps: role, group, access policy. With ``group_roles_from: policy``
    this is the only way by which a group of one's own gets a role.
    """
    set_policy(world, grants__group_roles_from="policy")
    account = world.account()
    group = world.owner.post("/v1/groups", {"name": "Data", "members": [account.id]}).json["id"]
    refused = world.owner.post("/v1/assignments", {"subject": group, "role": "auditor"})
    world.owner.post("/v1/access-policies", {"name": "P7", "subjects": [group], "roles": ["auditor"]})
    body = {"principal": account.id, "permission": "user:read"}
    found = world.owner.post("/v1/decisions/explain", body).json

    assert (422, "source_not_allowed") == (refused.status, refused.code)
    assert (True, "inherited") == (found["allowed"], found["held"])
    assert ["user:read <- role Auditor <- access policy P7 <- group Data"] == [
        each["text"] for each in found["paths"]
    ]
    assert 200 == world.calls(account).get("/v1/users").status


def test_a_locked_policy_stays_as_it_is(world: World) -> None:
    """
    What is locked is neither changed, nor given more, nor deleted, until it is unlocked by itself.
    """
    made = world.owner.post("/v1/access-policies", {"name": "P7"}).json["id"]
    path = f"/v1/access-policies/{made}"
    world.owner.patch(path, {"locked": True})
    refused = [
        world.owner.patch(path, {"name": "P8"}),
        world.owner.patch(path, {"locked": False, "name": "P8"}),
        world.owner.post("/v1/grants", {"subject": made, "permission": "report:read"}),
        world.owner.delete(path),
    ]
    world.owner.patch(path, {"locked": False})

    assert [(409, "locked")] * 4 == [(each.status, each.code) for each in refused]
    assert 200 == world.owner.delete(path).status


def test_a_policy_is_no_way_around_the_ceiling(world: World) -> None:
    """
    Who may edit policies, and accounts, gives nobody by it what they do not hold themselves.
    """
    made = world.owner.post(
        "/v1/access-policies", {"name": "P7", "conditions": PRODUCTION, "permissions": ["user:delete"]}
    ).json["id"]
    caller = world.caller("access_policy:update", "service_account:update", "service_account:create")
    wider = caller.patch(f"/v1/access-policies/{made}", {"subjects": [caller.id], "justification": "x"})
    matched = caller.patch(f"/v1/service-accounts/{caller.id}", {"environment": "production"})
    new = caller.post(
        "/v1/service-accounts",
        {"name": "new", "purpose": "x", "owners": [world.owner.id], "environment": "production"},
    )

    assert [(403, "ceiling_exceeded")] * 3 == [(each.status, each.code) for each in (wider, matched, new)]


def test_preview_tells_whom_a_policy_would_match(world: World) -> None:
    """
    A preview changes nothing and names whom the conditions match; others' ids are not found.
    """
    account = world.account()
    world.owner.patch(f"/v1/service-accounts/{account.id}", {"environment": "production"})
    found = world.owner.post("/v1/access-policies/preview", {"conditions": PRODUCTION}).json
    foreign = world.owner.post("/v1/access-policies/preview", {"subjects": [World.create().owner.id]})

    assert ([account.id], 1, []) == (
        [each["id"] for each in found["principals"]], found["principals_count"], found["groups"],
    )  # fmt: skip
    assert 404 == foreign.status
    assert [] == world.owner.get("/v1/access-policies").json["items"]


def test_subjects_are_added_and_removed_whatever_the_list_is(world: World) -> None:
    """
    Who adds and removes says nothing about the others; the whole list beside that is refused, as is one that
    is nobody.
    """
    one, two, three = (world.account(f"named-{n}").id for n in range(3))
    made = world.owner.post("/v1/access-policies", {"name": "Named", "subjects": [one]}).json["id"]
    path = f"/v1/access-policies/{made}"
    world.owner.patch(path, {"add_subjects": [two]})
    done = world.owner.patch(path, {"add_subjects": [three, two], "remove_subjects": [one]})
    both = world.owner.patch(path, {"subjects": [one], "add_subjects": [two]})
    nobody = world.owner.patch(path, {"add_subjects": ["nobody-here"], "remove_subjects": [two]})
    left = {each["id"] for each in world.owner.get(path).json["subjects"]}

    assert {two, three} == {each["id"] for each in done.json["subjects"]}
    assert (400, "body.subjects") == (both.status, both.field)
    assert "body.add_subjects.0" == nobody.field
    assert {two, three} == left
