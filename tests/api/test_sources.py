"""``grants.sources``, ``grants.roles_per_account`` and ``forbidden_for_service``: how accounts get access."""

from __future__ import annotations

import pytest

from tests.api.policies import set_policy
from tests.api.world import Answer, World


def _hand(world: World, way: str, account: str) -> Answer:
    if way == "direct":
        return world.owner.post("/v1/grants", {"subject": account, "permission": "user:read"})
    if way == "role":
        return world.owner.post("/v1/assignments", {"subject": account, "role": "auditor"})
    made = world.owner.post(f"/v1/{way}s", {"name": "Blue", "permissions": ["user:read"]}).json["id"]
    return world.owner.post(f"/v1/{way}s/{made}/add", {"members": [account]})


@pytest.mark.parametrize("way", ["direct", "role", "group", "team"])
def test_a_source_that_is_not_allowed(world: World, way: str) -> None:
    """
    Service accounts get nothing by a way that the policy leaves out, and what they have by it has no effect
    any more; people still do.
    """
    account, (user, person) = world.account(), world.user()
    caller = world.calls(account)
    had = _hand(world, way, account.id)
    before = caller.get("/v1/users").status
    others = [each for each in ("direct", "role", "group", "team", "policy") if each != way]
    set_policy(world, grants__sources=others)
    after = caller.get("/v1/users").status
    refused = _hand(World(world.organization, world.owner), way, world.account("next").id) if way in (
        "direct", "role",
    ) else world.owner.post(
        f"/v1/{way}s/{world.owner.get(f'/v1/{way}s?name=Blue').json['items'][0]['id']}/add",
        {"members": [world.account("next").id]},
    )  # fmt: skip

    assert had.status in (200, 201), had.text
    assert (200, 403) == (before, after)
    assert (422, "source_not_allowed") == (refused.status, refused.code)
    if way in ("direct", "role"):
        assert 201 == _hand(world, way, user.id).status
        assert 200 == person.get("/v1/users").status


def test_access_policies_are_a_source(world: World) -> None:
    """
    Without ``policy`` a service account has nothing by access policies any more; people still have.
    """
    account, (user, person) = world.account(), world.user()
    caller = world.calls(account)
    body = {"name": "P7", "subjects": [account.id, user.id], "permissions": ["user:read"]}
    made = world.owner.post("/v1/access-policies", body)
    before = [each.get("/v1/users").status for each in (caller, person)]
    set_policy(world, grants__sources=["direct", "role", "group", "team"])

    assert (201, [200, 200]) == (made.status, before)
    assert [403, 200] == [each.get("/v1/users").status for each in (caller, person)]


def test_roles_per_account(world: World) -> None:
    """
    A service account holds as many roles as the policy says, not fewer and not more; people any number.
    """
    set_policy(world, grants__roles_per_account={"min": 1, "max": 1})
    body = {"name": "etl", "purpose": "x", "owners": [world.owner.id], "justification": "a test"}
    none = world.owner.post("/v1/service-accounts", body)
    two = world.owner.post("/v1/service-accounts", {**body, "roles": ["auditor", "access-manager"]})
    one = world.owner.post("/v1/service-accounts", {**body, "roles": ["auditor"]})
    path = f"/v1/service-accounts/{one.json['id']}"
    more = world.owner.post(
        "/v1/assignments", {"subject": one.json["id"], "role": "access-manager", "justification": "x"}
    )
    less = world.owner.patch(path, {"roles": []})
    other = world.owner.patch(path, {"roles": ["access-manager"], "justification": "x"})

    assert [400, 400, 201] == [each.status for each in (none, two, one)]
    assert [400, 400, 200] == [each.status for each in (more, less, other)], more.text
    assert ["access-manager"] == other.json["roles"]


def test_forbidden_roles_and_groups(world: World) -> None:
    """
    A role or group that the policy keeps from service accounts is refused to them, and what they had by it has
    no effect from the policy's next version on.
    """
    account = world.account()
    caller = world.calls(account)
    group = world.owner.post("/v1/groups", {"name": "Data", "permissions": ["user:read"]}).json["id"]
    world.owner.post(f"/v1/groups/{group}/add", {"members": [account.id]})
    world.owner.post("/v1/assignments", {"subject": account.id, "role": "auditor"})
    before = [caller.get(path).status for path in ("/v1/users", "/v1/audit-events")]
    set_policy(world, forbidden_for_service={"roles": ["owner", "auditor"], "groups": ["data"]})
    after = [caller.get(path).status for path in ("/v1/users", "/v1/audit-events")]
    other = world.account("other").id
    refused = [
        world.owner.post(f"/v1/groups/{group}/add", {"members": [other]}),
        world.owner.post("/v1/assignments", {"subject": other, "role": "auditor"}),
    ]

    assert ([200, 200], [403, 403]) == (before, after)
    assert [(403, "forbidden_for_service")] * 2 == [(each.status, each.code) for each in refused]
    assert 409 == world.owner.patch(f"/v1/groups/{group}", {"name": "Renamed"}).status
