"""Acts on many objects, each on one: address, the events that it says, and the body."""

from __future__ import annotations

from collections.abc import Callable

from tests.api.world import JSON, World

Says = list[tuple[str, str]]
Many = tuple[str, Says, JSON]


def _accounts(world: World, act: str, says: str, **more: object) -> Many:
    account = world.account(permissions=("report:read",) if act == "take-back" else ()).id
    if act == "enable":
        world.owner.post(f"/v1/service-accounts/{account}/disable")
    return f"/v1/bulk/service-accounts/{act}", [(says, "etl")], {"accounts": [account], **more}


def _access(world: World, act: str, says: str) -> Many:
    path, _, body = _accounts(world, act, says, permission="report:read")
    return path, [(says, "etl/report:read")], body


def _keys(world: World, act: str, *says: str, **more: object) -> Many:
    key = world.key(world.account())[0].id
    if act == "delete":
        world.owner.post(f"/v1/keys/{key}/revoke")
    return f"/v1/bulk/keys/{act}", [(each, "etl/k1") for each in says], {"keys": [key], **more}


CASES: dict[str, Callable[[World], Many]] = {
    "enable_service_accounts": lambda world: _accounts(world, "enable", "account.enabled"),
    "disable_service_accounts": lambda world: _accounts(world, "disable", "account.disabled"),
    "delete_service_accounts": lambda world: _accounts(world, "delete", "account.deleted"),
    "grant_to_service_accounts": lambda world: _access(world, "grant", "grant.created"),
    "take_from_service_accounts": lambda world: _access(world, "take-back", "grant.deleted"),
    "set_owners_of_service_accounts": lambda world: _accounts(
        world, "set-owners", "account.updated", owners=[world.user()[0].id]
    ),
    "revoke_keys": lambda world: _keys(world, "revoke", "key.revoked"),
    "expire_keys": lambda world: _keys(world, "expire", "key.expiry_shortened", expires="1d"),
    "restrict_keys": lambda world: _keys(world, "restrict", "key.restricted", methods=["GET"]),
    "rotate_keys": lambda world: _keys(world, "rotate", "key.issued", "key.rotated"),
    "delete_keys": lambda world: _keys(world, "delete", "key.deleted"),
}
