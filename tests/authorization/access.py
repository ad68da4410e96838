"""The operations on access in the matrix: what each needs, and a valid call of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from tests.api import access_cases as cases
from tests.api.world import JSON, Caller, World

NEEDS = {
    "list_roles": "role:read",
    "create_role": "role:create",
    "get_role": "role:read",
    "update_role": "role:update",
    "clone_role": "role:create",
    "delete_role": "role:delete",
    **{
        name.replace("group", noun): need.replace("group", noun)
        for noun in ("group", "team")
        for name, need in {
            "list_groups": "group:read",
            "create_group": "group:create",
            "get_group": "group:read",
            "update_group": "group:update",
            "delete_group": "group:delete",
            "list_members_of_group": "group:read",
            "add_to_group": "group:update",
            "remove_from_group": "group:update",
            "approve_member_of_group": "group:update",
        }.items()
    },
    "list_resources_of_team": "team:read",
    "change_resources_of_team": "team:update",
    "list_access_policies": "access_policy:read",
    "create_access_policy": "access_policy:create",
    "get_access_policy": "access_policy:read",
    "update_access_policy": "access_policy:update",
    "delete_access_policy": "access_policy:delete",
    "approve_access_policy": "access_policy:update",
    "preview_access_policy": "access_policy:read",
    "list_all_grants": "grant:read",
    "hand_out_grant": "grant:create",
    "take_grant_back": "grant:delete",
    "approve_grant": "grant:create",
    "list_permissions_of_user": "grant:read",
    "list_assignments": "grant:read",
    "list_drift": "grant:read",
    "assign_role": "grant:create",
    "unassign_role": "grant:delete",
    "approve_assignment": "grant:create",
    "list_permissions": "role:read",
    "import_permissions": "permission:import",
    "explain_decision": "decision:simulate",
    "list_who_may": "decision:simulate",
    "simulate_changes": "decision:simulate",
}
#: What everybody who hands something out in the matrix holds.
GRANTED = "grant:create"
Made = tuple[str, JSON | None]


def _name() -> str:
    return f"m-{secrets.token_hex(6)}"


def _account(world: World) -> str:
    return world.account(_name()).id


def _group(world: World, kind: str) -> str:
    made = world.owner.post(f"/v1/{kind}s", {"name": _name()})
    return f"/v1/{kind}s/{made.json['id']}"


def _policy(world: World) -> str:
    return f"/v1/access-policies/{world.owner.post('/v1/access-policies', {'name': _name()}).json['id']}"


def _handed(world: World, path: str, **what: str) -> str:
    body = {"subject": _account(world), "justification": "a test", **what}
    return f"/v1/{path}/{world.owner.post(f'/v1/{path}', body).json['id']}"


def _grant(world: World) -> str:
    return _handed(world, "grants", permission="report:read")


def _assignment(world: World) -> str:
    name = _name()
    world.owner.post("/v1/roles", {"name": name})
    return _handed(world, "assignments", role=name)


def _of_groups(kind: str) -> dict[str, Callable[[World, Caller], Made]]:
    return {
        f"list_{kind}s": lambda world, _: (f"/v1/{kind}s", None),
        f"create_{kind}": lambda world, _: (f"/v1/{kind}s", {"name": _name()}),
        f"get_{kind}": lambda world, _: (_group(world, kind), None),
        f"update_{kind}": lambda world, _: (_group(world, kind), {"description": "x"}),
        f"delete_{kind}": lambda world, _: (_group(world, kind), None),
        f"list_members_of_{kind}": lambda world, _: (f"{_group(world, kind)}/members", None),
        f"add_to_{kind}": lambda world, _: (f"{_group(world, kind)}/add", {"members": [_account(world)]}),
        f"remove_from_{kind}": lambda world, _: (f"{_group(world, kind)}/remove", {"members": []}),
        f"approve_member_of_{kind}": lambda world, _: (
            f"{_group(world, kind)}/members/{_account(world)}/approve",
            {},
        ),
    }


SPECIMENS: dict[str, Callable[[World, Caller], Made]] = {
    "list_roles": lambda world, _: ("/v1/roles", None),
    "create_role": lambda world, _: ("/v1/roles", {"name": _name()}),
    "get_role": lambda world, _: (cases.role(world), None),
    "update_role": lambda world, _: (cases.role(world), {"name": "x"}),
    "clone_role": lambda world, _: (f"{cases.role(world)}/clone", {"name": _name()}),
    "delete_role": lambda world, _: (cases.role(world), None),
    **_of_groups("group"),
    **_of_groups("team"),
    "list_resources_of_team": lambda world, _: (f"{_group(world, 'team')}/resources", None),
    "change_resources_of_team": lambda world, _: (f"{_group(world, 'team')}/resources", {"add": [_name()]}),
    "list_access_policies": lambda world, _: ("/v1/access-policies", None),
    "create_access_policy": lambda world, _: ("/v1/access-policies", {"name": _name()}),
    "get_access_policy": lambda world, _: (_policy(world), None),
    "update_access_policy": lambda world, _: (_policy(world), {"description": "x"}),
    "delete_access_policy": lambda world, _: (_policy(world), None),
    "approve_access_policy": lambda world, _: (f"{_policy(world)}/approve", {}),
    "preview_access_policy": lambda world, _: ("/v1/access-policies/preview", {}),
    "list_all_grants": lambda world, _: ("/v1/grants", None),
    "hand_out_grant": lambda world, _: (
        "/v1/grants",
        {"subject": _account(world), "permission": GRANTED, "justification": "a test"},
    ),
    "take_grant_back": lambda world, _: (_grant(world), None),
    "approve_grant": lambda world, _: (f"{_grant(world)}/approve", {}),
    "list_permissions_of_user": lambda world, _: (f"/v1/users/{world.user()[0].id}/permissions", None),
    "list_assignments": lambda world, _: ("/v1/assignments", None),
    "list_drift": lambda world, _: (f"/v1/service-accounts/{_account(world)}/drift", None),
    "assign_role": lambda world, _: (
        "/v1/assignments",
        {"subject": _account(world), "role": cases.role(world).rpartition("/")[2]},
    ),
    "unassign_role": lambda world, _: (_assignment(world), None),
    "approve_assignment": lambda world, _: (f"{_assignment(world)}/approve", {}),
    "list_permissions": lambda world, _: ("/v1/permissions", None),
    "import_permissions": lambda world, _: ("/v1/permissions/import", {"permissions": []}),
    "explain_decision": lambda world, _: (
        "/v1/decisions/explain",
        {"principal": _account(world), "permission": "report:read"},
    ),
    "list_who_may": lambda world, _: ("/v1/decisions/who?permission=report:read", None),
    "simulate_changes": lambda world, _: (
        "/v1/decisions/simulate",
        {"changes": [{"act": "grant", "subject": _account(world), "permission": "report:read"}]},
    ),
}


def as_specimens(kind: Callable[..., Any]) -> dict[str, Callable[[World, Caller], Any]]:
    """Return the calls as objects of the matrix's own kind."""

    def made(make: Callable[[World, Caller], Made]) -> Callable[[World, Caller], Any]:
        return lambda world, caller: kind(*make(world, caller))

    return {name: made(make) for name, make in SPECIMENS.items()}
