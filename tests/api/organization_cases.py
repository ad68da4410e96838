"""Changes of organizations and users: a call of each, and what the audit log must say of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from retinue.server.directory import actions as directory
from retinue.server.directory.queries import Principal, organization
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.api.world import World
from tests.authorization import specimens

#: What a case is made of: address, type and name of each changed object, the body, and who calls.
Told = tuple[Any, ...]
Make = Callable[[World], Told]


def _user(
    world: World, *, email: str = "uma@x.example", disabled: bool = False, invited: bool = False
) -> str:
    made = world.owner.post("/v1/users", {"email": email, "name": "Uma"})
    path = f"/v1/users/{made.json['id']}"
    if disabled:
        world.owner.post(f"{path}/disable", {})
    if invited:
        world.owner.post(f"{path}/invite", {})
    return path


def _signing_in(world: World) -> Told:
    # Whoever signs in has an address that nobody else has, in any organization.
    email = f"uma-{secrets.token_hex(6)}@x.example"
    path = _user(world, email=email)
    with transaction(SYSTEM, reason="test") as tx:
        user = Principal.objects.get(id=path.rpartition("/")[2])
        directory.set_password(tx, user, "correct horse battery staple 7")
        tx.record("change.refused", user.id, name="x", organization=user.organization_id)
    return f"{path}/reset-sign-in", [("user.sign_in_reset", email)], {}, None


def _owned(world: World) -> Told:
    path = _user(world)
    ident = path.rpartition("/")[2]
    world.owner.patch(f"/v1/service-accounts/{world.account().id}", {"owners": [ident]})
    return f"{path}/reassign", [("account.updated", "etl")], {"to": world.owner.id}, None


def _new_organization(world: World) -> Told:
    body = specimens.new_organization()
    email = body["administrator"]["email"]
    says = [
        ("organization.created", body["handle"]),
        *(
            ("role.created", role)
            for role in ("owner", "administrator", "access-manager", "auditor", "member")
        ),
        *(("group.created", group) for group in ("People", "Service accounts")),
        ("user.created", email),
        ("role.assigned", f"{email}/owner"),
        ("invitation.issued", f"{email}/invitation"),
    ]
    return ("/v1/organizations", says, body, world.operator())


def _other_organization(world: World, verb: str) -> Told:
    ident = specimens.empty_organization(disabled=verb == "enable")
    says = [(f"organization.{verb}d", organization(ident).handle)]
    return (f"/v1/organizations/{ident}/{verb}", says, {}, world.operator())


CASES: dict[str, Make] = {
    "invite_user": lambda world: (
        "/v1/invitations",
        [
            ("user.created", "uma@x.example"),
            ("role.assigned", "uma@x.example/member"),
            ("invitation.issued", "uma@x.example/invitation"),
        ],
        {"email": "uma@x.example", "name": "Uma", "roles": ["member"]},
    ),
    "invite_again": lambda world: (
        f"{_user(world)}/invite",
        [("invitation.issued", "uma@x.example/invitation")],
        {},
    ),
    "update_user": lambda world: (
        _user(world),
        [("user.updated", "uma@x.example"), ("role.assigned", "uma@x.example/member")],
        {"name": "Another", "roles": ["member"]},
    ),
    "reset_sign_in": _signing_in,
    "enable_user": lambda world: (
        f"{_user(world, disabled=True)}/enable",
        [("user.enabled", "uma@x.example")],
        {},
    ),
    "disable_user": lambda world: (f"{_user(world)}/disable", [("user.disabled", "uma@x.example")], {}),
    "delete_user": lambda world: (
        _user(world, invited=True),
        [("user.deleted", "uma@x.example"), ("invitation.revoked", "uma@x.example/invitation")],
    ),
    "reassign_accounts": _owned,
    "create_organization": _new_organization,
    "invite_administrator": lambda world: (
        f"/v1/organizations/{specimens.empty_organization()}/administrator",
        [
            ("user.created", "ada@x.example"),
            ("role.assigned", "ada@x.example/owner"),
            ("invitation.issued", "ada@x.example/invitation"),
        ],
        {"email": "ada@x.example", "name": "Ada"},
        world.operator(),
    ),
    "enable_organization": lambda world: _other_organization(world, "enable"),
    "disable_organization": lambda world: _other_organization(world, "disable"),
    "update_own_organization": lambda world: (
        "/v1/organization",
        [("organization.updated", world.organization.handle)],
        {"name": "Another"},
    ),
    "delete_own_organization": lambda world: (
        f"/v1/organization?confirm={world.organization.handle}",
        [("organization.deleted", world.organization.handle)],
    ),
}
