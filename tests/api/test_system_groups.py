"""``system_groups``, ``default_groups`` and ``roles.templates``: what an organization has by its policy."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from retinue.server.access import actions as access
from retinue.server.credentials import actions as credentials
from retinue.server.directory import actions as directory
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.policies.presets import PRESETS
from retinue.server.policies.queries import policy_of
from tests.api.policies import set_policy
from tests.api.world import JSON, Answer, Caller, World


def _of(preset: str) -> World:
    """An organization of a preset; its first role is held by its owner."""
    handle = f"org-{secrets.token_hex(6)}"
    with transaction(SYSTEM, reason="test") as tx:
        organization = directory.create_organization(tx, handle=handle, name=handle, preset=preset)
        access.set_up_organization(tx, organization)
        owner = directory.create_user(tx, organization.id, email=f"o@{handle}.example", name="Olga")
        access.assign_roles(tx, owner, [policy_of(organization.id).roles_templates[0].handle], "first owner")
        issued = credentials.issue_personal_token(tx, owner, name="test", days=30)
    return World(organization, Caller(issued.token, owner))


def test_wavefront_everyone(server_database: str) -> None:
    """
    Everyone holds all users and service accounts, nobody leaves it, and what it is given reaches all of them.
    """
    world = _of("wavefront")
    account, (user, person) = world.account(), world.user()
    caller = world.calls(account)
    groups = world.owner.get("/v1/groups").json["items"]
    everyone = next(each for each in groups if each["name"] == "Everyone")
    members = world.owner.get(f"/v1/groups/{everyone['id']}/members").json["items"]
    left = world.owner.post(f"/v1/groups/{everyone['id']}/remove", {"members": [account.id]})
    world.owner.post("/v1/grants", {"subject": everyone["id"], "permission": "user:read"})

    assert {world.owner.id, account.id, user.id} == {each["principal"]["id"] for each in members}
    assert (409, "locked") == (left.status, left.code)
    assert [200, 200] == [each.get("/v1/users").status for each in (caller, person)]


def test_default_groups_are_joined_and_may_be_left(world: World) -> None:
    """
    Every new service account joins the default groups and may leave them; the older ones do not join.
    """
    old = world.account("old")
    group = world.owner.post("/v1/groups", {"name": "New comers"}).json["id"]
    set_policy(world, default_groups=["new-comers"])
    made = world.account("new")
    path = f"/v1/groups/{group}"
    members = [each["principal"]["id"] for each in world.owner.get(f"{path}/members").json["items"]]
    left = world.owner.post(f"{path}/remove", {"members": [made.id]})

    assert [made.id] == members
    assert old.id not in members
    assert (200, 0) == (left.status, left.json["members"])


def test_a_policy_adds_roles_and_groups(world: World) -> None:
    """
    Roles and groups that a new version of the policy names are made at once; what it names no longer stays.
    """
    templates = [{"handle": "owner", "name": "Owner", "like": "owner", "permissions": []},
                 {"handle": "reader", "name": "Reader", "like": "", "permissions": ["*:read"]}]  # fmt: skip
    groups = [{"name": "Robots", "kind": "group", "members": "service_accounts", "locked": ["membership"]}]
    account = world.account()
    set_policy(world, roles__templates=templates, system_groups=groups)
    roles = {each["handle"]: each for each in world.owner.get("/v1/roles").json["items"]}
    robots = next(each for each in world.owner.get("/v1/groups").json["items"] if each["name"] == "Robots")

    assert ["*:read"] == roles["reader"]["permissions"]
    assert "auditor" in roles
    assert ("service_accounts", 1) == (robots["rule"], robots["members"])
    assert [account.id] == [
        each["principal"]["id"]
        for each in world.owner.get(f"/v1/groups/{robots['id']}/members").json["items"]
    ]


def _robots(world: World, **stated: Any) -> tuple[str, JSON]:
    """State one more system group; return its path and what it is."""
    group = {"name": "Robots", "kind": "group", "members": "chosen", "locked": []} | stated
    set_policy(world, system_groups=[group])
    path = f"/v1/{group['kind']}s"
    found = next(each for each in world.owner.get(path).json["items"] if each["name"] == "Robots")
    return f"{path}/{found['id']}", found


@pytest.mark.parametrize("kind", ["group", "team"])
@pytest.mark.parametrize(
    ("members", "who"),
    [
        ("chosen", set()),
        ("users", {"user"}),
        ("service_accounts", {"service_account"}),
        ("all", {"user", "service_account"}),
    ],
)
def test_members_of_a_system_group_follow_its_rule(
    world: World, kind: str, members: str, who: set[str]
) -> None:
    """
    Everybody of the kinds that the policy says, and nobody where members are chosen.
    """
    world.account()
    path, _ = _robots(world, kind=kind, members=members)

    held = world.owner.get(f"{path}/members").json["items"]
    assert who == {each["principal"]["kind"] for each in held}


@pytest.mark.parametrize("part", ["membership", "name", "grants", "deletion"])
def test_a_locked_part_is_locked_until_the_policy_unlocks_it(world: World, part: str) -> None:
    """
    Nobody changes it while the policy locks it, whatever they hold; afterwards it is as of any group.
    """
    account = world.account()
    path, group = _robots(world, locked=[part])

    def change() -> Answer:
        return {
            "membership": lambda: world.owner.post(f"{path}/add", {"members": [account.id]}),
            "name": lambda: world.owner.patch(path, {"name": "Machines"}),
            "grants": lambda: world.owner.post(
                "/v1/grants", {"subject": group["id"], "permission": "report:read"}
            ),
            "deletion": lambda: world.owner.delete(path),
        }[part]()

    locked = change()
    _robots(world, locked=[])

    assert (409, "locked") == (locked.status, locked.code)
    assert change().status in (200, 201)


def test_the_rule_of_a_group_that_exists_stays(world: World) -> None:
    """
    Another rule would give what the group has to people whom nobody gave it: the policy is refused.
    """
    _robots(world, members="service_accounts")
    group = {"name": "robots", "members": "all"}
    answer = world.owner.patch("/v1/policy", {"set": {"system_groups": [group]}})

    assert (409, "state_conflict", "overrides.system_groups") == (
        answer.status, answer.code, (answer.field or "").removeprefix("body."),
    )  # fmt: skip
    assert "members stay service_accounts" in answer.json["detail"]
    assert "service_accounts" == _robots(world, members="service_accounts")[1]["rule"]


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_the_role_that_may_do_everything_stays(server_database: str, preset: str) -> None:
    """
    The first role of every preset is kept by the organization, also where everybody is said to lose it.
    """
    world = _of(preset)
    set_policy(world, pat__enabled=True, credentials__schemes=["bearer"])
    first = policy_of(world.organization.id).roles_templates[0].handle
    [role] = [
        each for each in world.owner.get("/v1/roles?limit=100").json["items"] if each["handle"] == first
    ]
    answer = world.owner.delete(f"/v1/roles/{role['id']}?holders=lose")

    assert (409, "locked") == (answer.status, answer.code)
