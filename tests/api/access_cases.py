"""Changes of access: a call of each, what the audit log says of it, and what is repeated of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from retinue.server.access.catalogue import MANAGEMENT
from retinue.server.access.roles import ROLES
from tests.api.policies import set_policy
from tests.api.world import JSON, Caller, World

Target = tuple[str, str, JSON | None]
#: Address, type and name of each changed object, the body, and who calls.
Told = tuple[Any, ...]
Make = Callable[[World], Told]
ELEVATED = "grant:create"
#: Each takes place on one of these: what is made, by which body, and what a change says.
_GROUPS = ("group", "team")


def role(world: World) -> str:
    """The address of a new role that nobody holds."""
    return f"/v1/roles/{world.owner.post('/v1/roles', {'name': _name()}).json['id']}"


def group(world: World, kind: str, **more: object) -> str:
    """The address of a new group or team."""
    return f"/v1/{kind}s/{world.owner.post(f'/v1/{kind}s', {'name': 'Blue', **more}).json['id']}"


def policy(world: World, **more: object) -> str:
    """The address of a new access policy."""
    made = world.owner.post("/v1/access-policies", {"name": "P7", **more})
    return f"/v1/access-policies/{made.json['id']}"


def grant(world: World, permission: str = "report:read") -> str:
    """The address of a new grant of an account."""
    body = {"subject": world.account("etl").id, "permission": permission, "justification": "a test"}
    return f"/v1/grants/{world.owner.post('/v1/grants', body).json['id']}"


def assignment(world: World, handle: str = "auditor") -> str:
    """The address of a role that an account holds."""
    body = {"subject": world.account("etl").id, "role": handle, "justification": "a test"}
    return f"/v1/assignments/{world.owner.post('/v1/assignments', body).json['id']}"


def second_owner(world: World) -> Caller:
    """Another owner: who approves."""
    user, caller = world.user("Otto")
    world.owner.post("/v1/assignments", {"subject": user.id, "role": "owner", "justification": "a test"})
    return caller


def four_eyes(world: World) -> Caller:
    """From now on what is elevated waits for a second person, who is returned."""
    other = second_owner(world)
    set_policy(world, elevated={"approval": "four_eyes"})
    return other


def waiting_account(world: World, name: str = "etl") -> str:
    """The address of an account that the owner made and that waits for somebody else; later ones do not."""
    set_policy(world, accounts__approval="four_eyes")
    made = world.owner.post(
        "/v1/service-accounts", {"name": name, "owners": [world.owner.id], "purpose": "x"}
    )
    set_policy(world, accounts__approval="none")
    return f"/v1/service-accounts/{made.json['id']}"


def waiting_member(world: World, kind: str) -> str:
    """The address of a member who waits for a second person."""
    user, _ = world.user("Uma")
    path = group(world, kind)
    body = {"subject": path.rpartition("/")[2], "permission": ELEVATED, "justification": "a test"}
    world.owner.post("/v1/grants", body)
    other = four_eyes(world)
    for each in world.owner.get("/v1/grants?pending=true").json["items"]:
        other.post(f"/v1/grants/{each['id']}/approve")
    world.owner.post(f"{path}/add", {"members": [user.id], "justification": "a test"})
    return f"{path}/members/{user.id}/approve"


def _name() -> str:
    return f"r-{secrets.token_hex(4)}"


def _of_group(kind: str) -> dict[str, Make]:
    def member(world: World) -> Told:
        ident = world.account("etl").id
        return f"{group(world, kind)}/add", [("member.added", "Blue/etl")], {"members": [ident]}, None

    def leaver(world: World) -> Told:
        ident = world.account("etl").id
        path = group(world, kind, members=[ident])
        return f"{path}/remove", [("member.removed", "Blue/etl")], {"members": [ident]}, None

    def approved(world: World) -> Told:
        user, _ = world.user("Uma")
        path = group(world, kind, permissions=[ELEVATED], justification="a test")
        other = four_eyes(world)
        world.owner.post(f"{path}/add", {"members": [user.id], "justification": "a test"})
        says = [("member.approved", f"Blue/{user.handle}")]
        return f"{path}/members/{user.id}/approve", says, {}, other

    return {
        f"create_{kind}": lambda world: (
            f"/v1/{kind}s", [(f"{kind}.created", "Blue")], {"name": "Blue"}, None,
        ),
        f"update_{kind}": lambda world: (
            group(world, kind), [(f"{kind}.updated", "Red")], {"name": "Red"}, None,
        ),
        f"delete_{kind}": lambda world: (group(world, kind), [(f"{kind}.deleted", "Blue")], None, None),
        f"add_to_{kind}": member,
        f"remove_from_{kind}": leaver,
        f"approve_member_of_{kind}": approved,
    }  # fmt: skip


def _approved(make: Callable[[World, str], str], permission: str, says: str) -> Make:
    def case(world: World) -> Told:
        other = four_eyes(world)
        return f"{make(world, permission)}/approve", [(says, "etl")], {}, other

    return case


def _approved_policy(world: World) -> Told:
    path = policy(world, enabled=False)
    ident = path.rpartition("/")[2]
    world.owner.post("/v1/grants", {"subject": ident, "permission": ELEVATED, "justification": "a test"})
    other = four_eyes(world)
    body = {"enabled": True, "conditions": [{"field": "environment", "values": ["x"]}], "justification": "y"}
    world.owner.patch(path, body)
    return f"{path}/approve", [("access_policy.approved", "P7")], {}, other


CASES: dict[str, Make] = {
    "approve_service_account": lambda world: (
        f"{waiting_account(world)}/approve", [("account.approved", "etl")], {}, second_owner(world),
    ),
    "create_role": lambda world: (
        "/v1/roles", [("role.created", "helper")], {"name": "Helper", "permissions": ["report:read"]}, None,
    ),
    "update_role": lambda world: (
        role(world), [("role.updated", "other")], {"handle": "other", "permissions": ["report:read"]}, None,
    ),
    "clone_role": lambda world: (
        f"{role(world)}/clone", [("role.created", "second")], {"name": "Second"}, None,
    ),
    "delete_role": lambda world: (
        path := role(world), [("role.deleted", world.owner.get(path).json["handle"])], None, None,
    ),
    **_of_group("group"),
    **_of_group("team"),
    "change_resources_of_team": lambda world: (
        f"{group(world, 'team')}/resources", [("team.resources_changed", "Blue")], {"add": ["r-1"]}, None,
    ),
    "create_access_policy": lambda world: (
        "/v1/access-policies", [("access_policy.created", "P7")], {"name": "P7"}, None,
    ),
    "update_access_policy": lambda world: (
        policy(world), [("access_policy.updated", "P8")], {"name": "P8"}, None,
    ),
    "delete_access_policy": lambda world: (policy(world), [("access_policy.deleted", "P7")], None, None),
    "approve_access_policy": _approved_policy,
    "hand_out_grant": lambda world: (
        "/v1/grants", [("grant.created", "etl/report:read")],
        {"subject": world.account("etl").id, "permission": "report:read"}, None,
    ),
    "take_grant_back": lambda world: (grant(world), [("grant.deleted", "etl/report:read")], None, None),
    "approve_grant": _approved(grant, ELEVATED, "grant.approved"),
    "assign_role": lambda world: (
        "/v1/assignments", [("role.assigned", "etl/auditor")],
        {"subject": world.account("etl").id, "role": "auditor"}, None,
    ),
    "unassign_role": lambda world: (assignment(world), [("role.removed", "etl/auditor")], None, None),
    "approve_assignment": _approved(assignment, "administrator", "role.approved"),
    "import_permissions": lambda world: (
        "/v1/permissions/import",
        [("permission.declared", name := f"x{secrets.token_hex(4)}:read")],
        {"permissions": [{"name": name, "label": "Read"}]},
        world.operator(),
    ),
}  # fmt: skip


def _repeat(name: str, method: str) -> Callable[[World], Target]:
    def target(world: World) -> Target:
        path, _, body, _ = CASES[name](world)
        # What waits goes on waiting; the caller, who is made now, does not.
        set_policy(world, elevated={"approval": "none"})
        return method, path, body

    return target


def _role_that_waits(world: World) -> Target:
    body = {"name": "Giver", "permissions": [ELEVATED]}
    handle = world.owner.post("/v1/roles", body).json["handle"]
    four_eyes(world)
    path = assignment(world, handle)
    set_policy(world, elevated={"approval": "none"})
    return "POST", f"{path}/approve", {}


_METHODS = {"create": "POST", "update": "PATCH", "delete": "DELETE", "take": "DELETE", "unassign": "DELETE"}
#: What is repeated of each.
REPEATED = {name: _repeat(name, _METHODS.get(name.partition("_")[0], "POST")) for name in CASES}
REPEATED["approve_assignment"] = _role_that_waits
#: What a caller of these must hold besides, for the ceiling.
BESIDES = {
    "assign_role": tuple(sorted(ROLES["auditor"].names(MANAGEMENT))),
    "create_role": ("report:read",),
    "update_role": ("report:read",),
    "hand_out_grant": ("report:read",),
    "approve_member_of_group": (ELEVATED,),
    "approve_member_of_team": (ELEVATED,),
    "approve_access_policy": (ELEVATED,),
}
