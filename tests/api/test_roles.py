"""``/v1/roles``: roles of the organization, and what a change of one means for its holders."""

from __future__ import annotations

from tests.api.world import World


def test_roles_begin_with_the_native_ones(world: World) -> None:
    """
    A new organization has the five native roles; Owner is for people, and two act outside their teams.
    """
    roles = {each["handle"]: each for each in world.owner.get("/v1/roles").json["items"]}

    assert {"owner", "administrator", "access-manager", "auditor", "member"} == set(roles)
    assert ["owner"] == [handle for handle in roles if roles[handle]["people_only"]]
    assert {"owner", "administrator"} == {handle for handle in roles if roles[handle]["bypass_scopes"]}
    assert 1 == roles["owner"]["holders"]


def test_a_changed_role_holds_for_the_next_call(world: World) -> None:
    """
    Who holds a role may what it says at each moment: added and taken out again.
    """
    made = world.owner.post("/v1/roles", {"name": "Helper", "permissions": ["report:read"]})
    account = world.account()
    held = {"subject": account.id, "role": "helper"}
    assigned = world.owner.post("/v1/assignments", held)
    caller = world.calls(account)
    path = f"/v1/roles/{made.json['id']}"
    before = caller.get("/v1/users").status
    more = world.owner.patch(path, {"permissions": ["report:read", "user:read"]})
    during = caller.get("/v1/users").status
    less = world.owner.patch(path, {"permissions": ["report:read"]})

    assert (201, 201, 200, 200) == (made.status, assigned.status, more.status, less.status)
    assert (403, 200, 403) == (before, during, caller.get("/v1/users").status)
    assert less.json["receipt"]["complete"]


def test_a_role_is_deleted_with_a_word_about_its_holders(world: World) -> None:
    """
    A role that is held stays unless the call says that its holders lose it; then they have nothing by it, and
    the handle is free again.
    """
    made = world.owner.post("/v1/roles", {"name": "Helper", "permissions": ["user:read"]}).json
    account = world.account(roles=("helper",))
    caller = world.calls(account)
    path = f"/v1/roles/{made['id']}"
    refused = world.owner.delete(path)
    before = caller.get("/v1/users").status
    deleted = world.owner.delete(f"{path}?holders=lose")

    assert (409, "state_conflict", 200) == (refused.status, refused.code, before)
    assert (200, 403, 404) == (
        deleted.status, caller.get("/v1/users").status, world.owner.get(path).status,
    )  # fmt: skip
    assert 201 == world.owner.post("/v1/roles", {"name": "Helper"}).status


def test_a_clone_has_the_permissions_and_no_holders(world: World) -> None:
    """
    A clone gives what its model gives; Owner cannot be cloned, changed or deleted.
    """
    roles = {each["handle"]: each for each in world.owner.get("/v1/roles").json["items"]}
    made = world.owner.post(f"/v1/roles/{roles['auditor']['id']}/clone", {"name": "Second auditor"})
    owner = f"/v1/roles/{roles['owner']['id']}"
    refused = [
        world.owner.post(f"{owner}/clone", {"name": "Second owner"}),
        world.owner.patch(owner, {"permissions": ["report:read"]}),
        world.owner.delete(owner),
    ]

    assert (201, 0, roles["auditor"]["permissions"]) == (
        made.status, made.json["holders"], made.json["permissions"],
    )  # fmt: skip
    assert [(409, "locked")] * 3 == [(each.status, each.code) for each in refused]


def test_an_edited_role_is_no_back_door(world: World) -> None:
    """
    Who may edit roles gives their holders nothing that they do not hold; and no role that a service account
    holds gets what service accounts can never have.
    """
    made = world.owner.post("/v1/roles", {"name": "Helper", "permissions": ["report:read"]}).json
    world.account(roles=("helper",))
    path = f"/v1/roles/{made['id']}"
    editor = world.caller("role:update", "report:read")
    beyond = editor.patch(path, {"permissions": ["report:read", "user:read"]})
    banned = world.owner.patch(path, {"permissions": ["report:read", "pat:issue"]})

    assert (403, "ceiling_exceeded", ["user:read"]) == (beyond.status, beyond.code, beyond.json["required"])
    assert (403, "forbidden_for_service") == (banned.status, banned.code)
    assert ["report:read"] == world.owner.get(path).json["permissions"]


def test_a_role_of_another_organization_does_not_exist(world: World) -> None:
    """
    Ids of others are not found, whatever is asked of them.
    """
    other = World.create()
    ident = other.owner.get("/v1/roles?handle=auditor").json["items"][0]["id"]
    path = f"/v1/roles/{ident}"
    found = [
        world.owner.get(path), world.owner.patch(path, {"name": "x"}), world.owner.delete(path),
        world.owner.post(f"{path}/clone", {"name": "x"}),
        world.owner.post("/v1/assignments", {"subject": world.account().id, "role": ident}),
    ]  # fmt: skip

    assert [404, 404, 404, 404, 422] == [each.status for each in found]
