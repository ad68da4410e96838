"""Calls of findings, reviews, documents and bulk operations, for the tests that go through all operations."""

from __future__ import annotations

from collections.abc import Callable

from tests.api.test_events import configuration, finding, review
from tests.api.world import JSON, World

Target = tuple[str, str, JSON | None]


def found(world: World, act: str) -> Target:
    case = finding(world, act)
    return "POST", case.path, case.body


def many(world: World, act: str) -> Target:
    return "POST", f"/v1/bulk/service-accounts/{act}", {"accounts": [world.account("target").id]}


def granted(world: World, act: str) -> Target:
    account = world.account("target", permissions=("report:read",) if act == "take-back" else ()).id
    return "POST", f"/v1/bulk/service-accounts/{act}", {"accounts": [account], "permission": "report:read"}


def keys(world: World, act: str) -> Target:
    return "POST", f"/v1/bulk/keys/{act}", {"keys": [world.key(world.account("target"))[0].id]}


def changed_keys(world: World, act: str, **given: object) -> Target:
    method, path, body = keys(world, act)
    return method, path, {**(body or {}), **given}


def owned(world: World) -> Target:
    body = {"accounts": [world.account("target").id], "owners": [world.user()[0].id]}
    return "POST", "/v1/bulk/service-accounts/set-owners", body


CHANGES: dict[str, Callable[[World], Target]] = {
    "enable_service_accounts": lambda world: many(world, "enable"),
    "disable_service_accounts": lambda world: many(world, "disable"),
    "delete_service_accounts": lambda world: many(world, "delete"),
    "take_from_service_accounts": lambda world: granted(world, "take-back"),
    "set_owners_of_service_accounts": owned,
    "revoke_keys": lambda world: keys(world, "revoke"),
    "expire_keys": lambda world: changed_keys(world, "expire", expires="1d"),
    "restrict_keys": lambda world: changed_keys(world, "restrict", methods=["GET"]),
    "rotate_keys": lambda world: keys(world, "rotate"),
    "delete_keys": lambda world: keys(world, "delete"),
}


def configured(world: World) -> Target:
    case = configuration(world)
    return "POST", case.path, case.body


def reviewable(world: World) -> Target:
    world.account("target")
    return "POST", "/v1/reviews", {"name": "Autumn"}


def reviewed(world: World, act: str) -> Target:
    case = review(world, act)
    return "POST", case.path, case.body
