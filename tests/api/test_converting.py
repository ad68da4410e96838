"""A personal access token that an integration uses becomes a service account with what was really used."""

from __future__ import annotations

import secrets
import time

from retinue.server.traffic.actions import Entry, ingest
from tests.api.policies import set_policy
from tests.api.test_key_life import holder
from tests.api.test_personal_tokens import ALL, MINE, issue, member
from tests.api.world import Caller, World


def used(world: World, user: str, credential: str, *permissions: str) -> None:
    """Let a node say that a token was allowed these permissions."""
    entries = [
        Entry(
            at_ms=time.time_ns() // 1_000_000,
            organization=world.organization.id,
            account=user,
            account_name="Uma",
            account_kind="user",
            credential_id=credential,
            allowed=True,
            permission=permission,
        )
        for permission in permissions
    ]
    ingest("local", secrets.token_hex(8), 0, entries)


def integration(world: World) -> tuple[str, Caller, Caller]:
    """A user who may read everything, with a token that used little of it: its path, the user, the token."""
    user, caller = member(world, "auditor")
    issued = issue(caller, "nightly")
    ident = issued.json["key"]["id"]
    used(world, user.id, ident, "user:read", "audit_log:read", "report:write")
    return f"{ALL}/{ident}", caller, holder(issued)


def body(**more: object) -> dict[str, object]:
    """What an account needs."""
    return {"name": "nightly export", "purpose": "exports", "justification": "was a person's token", **more}


def test_account_gets_what_was_used(world: World) -> None:
    """
    The plan names the permissions that were used and can be handed on, and those that cannot; the account gets the
    first alone, is owned by the user, and its key does what the token did, beside it until the overlap ends.
    """
    path, caller, token = integration(world)
    plan = world.owner.get(f"{path}/convert").json
    made = world.owner.post(f"{path}/convert", body())
    key = holder(made)

    assert (["audit_log:read", "user:read"], ["report:write"]) == (plan["permissions"], plan["left_out"])
    assert (201, ["audit_log:read", "user:read"], ["report:write"]) == (
        made.status, made.json["permissions"], made.json["left_out"],
    )  # fmt: skip
    assert [caller.id] == [each["id"] for each in made.json["account"]["owners"]]
    assert ["audit_log:read", "user:read"] == key.get("/v1/me").json["permissions"]
    assert [200, 200, 403] == [
        token.get("/v1/users").status, key.get("/v1/users").status, key.get("/v1/keys").status,
    ]  # fmt: skip
    assert ("retiring", made.json["key"]["id"]) == tuple(
        made.json["replaced"][each] for each in ("status", "rotated_to")
    )


def test_token_ends_with_the_overlap(world: World) -> None:
    """
    Without overlap the token is refused at once; with ``first_use`` as soon as the key is used.
    """
    path, _, token = integration(world)
    made = world.owner.post(f"{path}/convert", body(overlap="0s"))
    at_once = (made.json["replaced"]["reason"], token.get("/v1/me").status)
    set_policy(world, rotation__retire_on="first_use")
    path, _, token = integration(world)
    made = world.owner.post(f"{path}/convert", body(name="second"))
    before = token.get("/v1/me").status
    used(world, made.json["account"]["id"], made.json["key"]["id"], "user:read")

    assert ("superseded", 401) == at_once
    assert (200, 401) == (before, token.get("/v1/me").status)


def test_nobody_hands_out_more_than_they_hold(world: World) -> None:
    """
    Who converts is bound by the ceiling, and a token that has ended is not converted; then nothing has happened.
    """
    path, _, token = integration(world)
    needs = ("pat:read", "pat:revoke", "service_account:create", "grant:create", "credential:issue")
    weak = world.caller(*needs)
    refused = weak.post(f"{path}/convert", body(owners=[world.owner.id]))
    world.owner.post(f"{path}/revoke")
    late = world.owner.post(f"{path}/convert", body())

    assert [(403, "ceiling_exceeded"), (409, "state_conflict")] == [
        (e.status, e.code) for e in (refused, late)
    ]
    assert [] == world.owner.get("/v1/service-accounts?search=nightly").json["items"]
    assert 401 == token.get("/v1/me").status


def test_tokens_that_nobody_sees_are_not_converted(world: World) -> None:
    """
    Where administrators see no tokens of others only the user converts one; a token of another organization and one
    that never was are the same.
    """
    set_policy(world, pat__admin_visibility="none")
    path, _, _ = integration(world)
    far = World.create().owner

    assert [404, 404, 404] == [
        world.owner.get(f"{path}/convert").status,
        far.get(f"{path}/convert").status,
        world.owner.get(f"{ALL}/pat_000000000000/convert").status,
    ]
    own = issue(world.owner, "mine").json["key"]["id"]
    assert (
        201 == world.owner.post(f"{ALL}/{own}/convert", body(name="own", permissions=["report:read"])).status
    )
    assert "retiring" == world.owner.get(f"{MINE}/{own}").json["status"]
