"""``/v1/decisions``: why may it, who may, what would change."""

from __future__ import annotations

from tests.api.world import World


def test_why_tells_every_path_and_why_not(world: World) -> None:
    """
    Explicit, inherited or none, with each path; and what gives it elsewhere when it is denied here.
    """
    account = world.account(permissions=("user:read",), roles=("auditor",))
    limited = world.account("limited").id
    resource = {"ids": ["r-1"]}
    world.owner.post("/v1/grants", {"subject": limited, "permission": "report:read", "resource": resource})
    may = {"principal": account.id, "permission": "user:read"}
    both = world.owner.post("/v1/decisions/explain", may).json
    none = world.owner.post("/v1/decisions/explain", {**may, "permission": "user:delete"}).json
    asked = {"principal": limited, "permission": "report:read"}
    here, elsewhere, unnamed = (
        world.owner.post("/v1/decisions/explain", {**asked, "resource": each}).json
        for each in ("r-1", "r-2", None)
    )

    assert (True, "explicit", 2) == (both["allowed"], both["held"], len(both["paths"]))
    assert (False, "permission_missing", "none") == (none["allowed"], none["reason"], none["held"])
    assert [True, False, False] == [each["allowed"] for each in (here, elsewhere, unnamed)]
    assert ["resource_not_covered"] * 2 == [each["reason"] for each in (elsewhere, unnamed)]
    assert [resource] == [each["resource"] for each in elsewhere["others"]]


def test_who_may_lists_exactly_those_who_may(world: World) -> None:
    """
    Those who hold it by a grant, a role or a group are listed, and nobody else, nor anybody disabled.
    """
    direct = world.account("direct", permissions=("user:read",))
    by_role = world.account("by-role", roles=("auditor",))
    member = world.account("member")
    world.owner.post("/v1/groups", {"name": "G", "permissions": ["user:read"], "members": [member.id]})
    world.account("nothing")
    off = world.account("off", permissions=("user:read",))
    world.owner.post(f"/v1/service-accounts/{off.id}/disable")
    found = world.owner.get("/v1/decisions/who?permission=user:read").json["items"]

    assert {direct.id, by_role.id, member.id, world.owner.id} == {each["id"] for each in found}


def test_a_simulation_tells_what_would_change_and_changes_nothing(world: World) -> None:
    """
    Gains and losses of each principal that the changes concern; afterwards everything is as before, and no
    event was written.
    """
    role = world.owner.post("/v1/roles", {"name": "Helper", "permissions": ["report:read"]}).json["id"]
    holder = world.account("holder", roles=("helper",))
    other = world.account("other")
    events = world.owner.get("/v1/audit-events?limit=200").json["items"]
    changes = [
        {"act": "update_role", "role": "helper", "permissions": ["report:write"]},
        {"act": "grant", "subject": other.id, "permission": "user:read"},
    ]
    answer = world.owner.post("/v1/decisions/simulate", {"changes": changes})
    found = {each["principal"]["id"]: each for each in answer.json["items"]}

    assert 200 == answer.status, answer.text
    assert (["report:write"], ["report:read"]) == (found[holder.id]["gained"], found[holder.id]["lost"])
    assert (["user:read"], []) == (found[other.id]["gained"], found[other.id]["lost"])
    assert {holder.id, other.id} == set(found)
    assert ["report:read"] == world.owner.get(f"/v1/roles/{role}").json["permissions"]
    assert events == world.owner.get("/v1/audit-events?limit=200").json["items"]


def test_what_nobody_may_ever_do_is_refused_by_place(world: World) -> None:
    """
    A step that no rule allows is named by its place, and ids of others are not found.
    """
    account = world.account()
    foreign = World.create().account()
    steps = [
        {"act": "grant", "subject": account.id, "permission": "pat:issue"},
        {"act": "grant", "subject": foreign.id, "permission": "report:read"},
    ]
    answers = [world.owner.post("/v1/decisions/simulate", {"changes": [each]}) for each in steps]

    assert [(403, "body.changes.0.permission"), (404, "body.changes.0.subject")] == [
        (each.status, each.field) for each in answers
    ]
