"""``copy_from``: a new account has the permissions of another or of a role, copied once or linked."""

from __future__ import annotations

from tests.api.policies import set_policy
from tests.api.world import JSON, Answer, World


def _new(world: World, **source: object) -> Answer:
    body: JSON = {"name": "new", "purpose": "x", "owners": [world.owner.id], "copy_from": source}
    return world.owner.post("/v1/service-accounts", {**body, "justification": "a test"})


def test_a_copy_stays_and_a_link_follows(world: World) -> None:
    """
    A copied permission is the account's own: a change of the origin shows as drift and changes nothing. A
    linked role goes with its changes.
    """
    role = world.owner.post("/v1/roles", {"name": "Helper", "permissions": ["user:read"]}).json["id"]
    source = world.account("source", roles=("helper",), permissions=("report:read",))
    copied = _new(world, account=source.handle, mode="copy").json["id"]
    linked = world.owner.post(
        "/v1/service-accounts",
        {"name": "linked", "purpose": "x", "owners": [world.owner.id],
         "copy_from": {"account": source.id, "mode": "link"}},
    ).json["id"]  # fmt: skip
    world.owner.patch(f"/v1/roles/{role}", {"permissions": ["user:read", "group:read"]})

    def held(account: str) -> set[str]:
        items = world.owner.get(f"/v1/service-accounts/{account}/permissions").json["items"]
        return {each["permission"] for each in items}

    assert {"user:read", "report:read"} == held(copied)
    assert {"user:read", "report:read", "group:read"} == held(linked)
    drift = world.owner.get(f"/v1/service-accounts/{copied}/drift").json["items"]
    assert [{"origin": source.id, "missing": ["group:read"], "extra": []}] == drift
    assert [] == world.owner.get(f"/v1/service-accounts/{linked}/drift").json["items"]


def test_a_copy_obeys_policy_and_ceiling(world: World) -> None:
    """
    The policy says from what permissions are copied, and how; nobody copies what they do not hold.
    """
    source = world.account("source", permissions=("user:read",))
    caller = world.caller("service_account:create", "grant:create")
    body = {"name": "new", "purpose": "x", "owners": [world.owner.id], "copy_from": {"account": source.id}}
    beyond = caller.post("/v1/service-accounts", body)
    set_policy(world, accounts__copy_permissions={"from": ["role"], "modes": ["link"]})
    refused = [_new(world, account=source.id, mode="link"), _new(world, role="auditor", mode="copy")]

    assert (403, "ceiling_exceeded") == (beyond.status, beyond.code)
    assert [(422, "source_not_allowed")] * 2 == [(each.status, each.code) for each in refused]
    assert ["auditor"] == _new(world, role="auditor", mode="link").json["roles"]
