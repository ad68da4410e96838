"""The decision "reduce to what was used" of an access review."""

from __future__ import annotations

import secrets

from django.utils import timezone

from retinue.server.directory.queries import Principal
from retinue.server.traffic.actions import Entry, ingest
from tests.api.world import Caller, World


def _use(world: World, account: Principal, *permissions: str) -> None:
    entries = [
        Entry(
            at_ms=int(timezone.now().timestamp() * 1000), organization=world.organization.id,
            account=account.id, account_name=account.name, account_kind=account.kind,
            credential_id="key_x", allowed=True, permission=permission,
        )
        for permission in permissions
    ]  # fmt: skip
    ingest("node", secrets.token_hex(8), 0, entries)


def _reduce(world: World, account: Principal, caller: Caller | None = None) -> str:
    """Review one account, decide, apply; return the outcome."""
    body = {"name": "r", "template": "scope", "accounts": [account.id]}
    path = f"/v1/reviews/{world.owner.post('/v1/reviews', body).json['id']}"
    item = world.owner.get(f"{path}/items").json["items"][0]
    world.owner.post(f"{path}/items/{item['id']}/decide", {"decision": "reduce", "note": "unused"})
    assert 200 == (caller or world.owner).post(f"{path}/apply", {}).status
    return str(world.owner.get(f"{path}/items").json["items"][0]["outcome"])


def _held(world: World, account: Principal) -> tuple[list[str], list[str]]:
    """What the account effectively holds, and its direct grants."""
    path = f"/v1/service-accounts/{account.id}"
    effective = world.owner.get(f"{path}/permissions").json["items"]
    direct = world.owner.get(f"{path}/grants").json["items"]
    return sorted(each["permission"] for each in effective), sorted(each["permission"] for each in direct)


def test_unused_grants_go_and_a_pattern_becomes_what_was_used(world: World) -> None:
    """
    Of a pattern and two grants stay the permissions that were used, and no other.
    """
    account = world.account(permissions=("report:*", "user:read", "group:read"))
    _use(world, account, "report:read", "user:read")

    assert "reduced: 3 permissions fewer" == _reduce(world, account)
    assert (["report:read", "user:read"],) * 2 == _held(world, account)


def test_a_role_becomes_grants_of_what_was_used(world: World) -> None:
    """
    The role goes, and of its permissions stays the one that was used.
    """
    account = world.account(roles=("auditor",))
    _use(world, account, "user:read")

    assert _reduce(world, account).startswith("reduced: ")
    assert (["user:read"], ["user:read"]) == _held(world, account)
    assert [] == world.owner.get(f"/v1/service-accounts/{account.id}").json["roles"]


def test_what_is_used_whole_stays_as_it_is(world: World) -> None:
    """
    A grant whose permission was used keeps its id and its justification.
    """
    account = world.account(permissions=("report:read",))
    _use(world, account, "report:read")
    before = world.owner.get(f"/v1/service-accounts/{account.id}/grants").json

    assert "reduced: 0 permissions fewer" == _reduce(world, account)
    assert before == world.owner.get(f"/v1/service-accounts/{account.id}/grants").json


def test_who_reduces_need_not_hold_what_stays(world: World) -> None:
    """
    Nothing is handed out by it: a reviewer without the permissions of the account may carry it out.
    """
    account = world.account(permissions=("report:*",))
    _use(world, account, "report:read")
    caller = world.caller("review:decide", "grant:create", "grant:delete")

    assert "reduced: 2 permissions fewer" == _reduce(world, account, caller)
    assert (["report:read"], ["report:read"]) == _held(world, account)


def test_nothing_used_leaves_nothing(world: World) -> None:
    """
    An account that used none of its permissions holds none afterwards.
    """
    account = world.account(permissions=("report:read",), roles=("auditor",))

    assert _reduce(world, account).startswith("reduced: ")
    assert ([], []) == _held(world, account)


def test_a_permission_says_when_it_was_last_used(world: World) -> None:
    """
    An account's permissions tell their last use, those that were never used tell none.
    """
    account = world.account(permissions=("report:read", "user:read"))
    _use(world, account, "report:read")
    items = world.owner.get(f"/v1/service-accounts/{account.id}/permissions").json["items"]

    assert {"report:read": True, "user:read": False} == {
        each["permission"]: each["last_used_at"] is not None for each in items
    }
