"""``system_groups``, ``default_groups`` and ``roles.templates``: what an organization has by its policy."""

from __future__ import annotations

import secrets

import pytest

from retinue.server.access import actions as access
from retinue.server.credentials import actions as credentials
from retinue.server.directory import actions as directory
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.policies.policy import policy_of
from retinue.server.policies.presets import PRESETS
from tests.api.policies import set_policy
from tests.api.world import Caller, World


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
