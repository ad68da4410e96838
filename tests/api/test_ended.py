"""What was handed out until an instant: once that is past it is as if it were not there."""

from __future__ import annotations

import time

from tests.api.world import JSON, World


def _hand_out(world: World, account: str, group: str, expires: str | None) -> list[int]:
    """Give a grant, a role and a membership; return the statuses."""
    more: JSON = {"justification": "a test"} | ({"expires": expires} if expires else {})
    return [
        world.owner.post("/v1/grants", {"subject": account, "permission": "report:read", **more}).status,
        world.owner.post("/v1/assignments", {"subject": account, "role": "auditor", **more}).status,
        world.owner.post(f"/v1/groups/{group}/add", {"members": [account], **more}).status,
    ]


def _held(world: World, account: str, group: str) -> tuple[list[str], list[str], list[str]]:
    """What stands as held: grants that count, roles, and the states of the members."""
    grants = world.owner.get(f"/v1/grants?subject={account}").json["items"]
    members = world.owner.get(f"/v1/groups/{group}/members").json["items"]
    return (
        [each["permission"] for each in grants if each["state"] == "active"],
        world.owner.get(f"/v1/service-accounts/{account}").json["roles"],
        [each["state"] for each in members],
    )


def _group(world: World) -> str:
    return str(world.owner.post("/v1/groups", {"name": "Data"}).json["id"])


def test_what_has_ended_is_handed_out_again(world: World) -> None:
    """
    A grant, a role and a membership that have ended are in no list of what is held, and the same is given once
    more, now without an end; what has not ended is refused, or stays as it is.
    """
    account, group = world.account().id, _group(world)
    first = _hand_out(world, account, group, "1s")
    time.sleep(1.1)
    between = _held(world, account, group)
    again = _hand_out(world, account, group, None)

    assert ([201, 201, 200], [201, 201, 200]) == (first, again)
    assert ([], [], ["expired"]) == between
    assert (["report:read"], ["auditor"], ["active"]) == _held(world, account, group)
    assert [409, 409, 200] == _hand_out(world, account, group, None)
    ended = [each["type"] for each in world.owner.get("/v1/audit-events?limit=200").json["items"]]
    assert {"grant.deleted", "role.removed", "member.removed"} <= set(ended)


def test_a_copy_holds_nothing_longer_than_its_source(world: World) -> None:
    """
    An account that is made like another has a role until the same instant, and nothing of what has ended there.
    """
    source, group = world.account().id, _group(world)
    _hand_out(world, source, group, "1s")
    world.owner.post("/v1/assignments", {"subject": source, "role": "access-manager", "expires": "30d",
                                         "justification": "a test"})  # fmt: skip
    time.sleep(1.1)
    made = world.owner.post(
        f"/v1/service-accounts/{source}/duplicate", {"name": "twin", "justification": "x"}
    )
    assert 201 == made.status, made.text
    twin = made.json["id"]
    ends = [
        [(each["role"]["handle"], each["expires_at"]) for each in items if each["state"] == "active"]
        for items in (
            world.owner.get(f"/v1/assignments?subject={ident}").json["items"] for ident in (source, twin)
        )
    ]

    assert ends[0] == ends[1]
    assert ["access-manager"] == [role for role, end in ends[1] if end is not None]
    assert ([], ["access-manager"]) == _held(world, twin, group)[:2]


def test_who_was_in_a_team_is_outside_again(world: World) -> None:
    """
    Whose membership has ended reaches nothing of the team any more, and lets nobody in who would.
    """
    team = world.owner.post("/v1/teams", {"name": "North"}).json["id"]
    world.owner.post(f"/v1/teams/{team}/resources", {"add": ["r1"]})
    world.owner.post("/v1/roles", {"name": "reader", "permissions": ["report:read"]})
    manager = world.caller("team:update", "grant:create")
    world.owner.post("/v1/assignments", {"subject": manager.id, "role": "reader", "justification": "x"})
    account = world.account("other").id
    world.owner.post("/v1/assignments", {"subject": account, "role": "reader", "justification": "x"})
    world.owner.post(
        f"/v1/teams/{team}/add", {"members": [manager.id], "expires": "1s", "justification": "x"}
    )
    time.sleep(1.1)
    refused = manager.post(f"/v1/teams/{team}/add", {"members": [account], "justification": "x"})
    world.owner.post(f"/v1/teams/{team}/add", {"members": [manager.id], "justification": "x"})
    let_in = manager.post(f"/v1/teams/{team}/add", {"members": [account], "justification": "x"})

    assert (403, "ceiling_exceeded", 200) == (refused.status, refused.code, let_in.status)
