"""The policy over the API: read, changed, tried without changing, and the history of its versions."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from retinue.server.directory import actions as directory
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.policies import actions, keys, presets
from retinue.server.policies.queries import policy_of
from retinue.server.policies.rules import Document
from retinue.server.traffic.actions import Entry, ingest
from tests.api.world import Answer, World


def change(world: World, **body: Any) -> Answer:
    """Change the policy as the owner does."""
    return world.owner.patch("/v1/policy", body)


def check(world: World, **body: Any) -> Any:
    """Try a change as the owner does."""
    answer = world.owner.post("/v1/policy/check", body)
    assert answer.status == 200, answer.text
    return answer.json


def test_policy_begins_with_its_preset(world: World) -> None:
    """
    A new organization has version 1 of the native preset, with the value in force of every key.
    """
    policy = world.owner.get("/v1/policy").json

    assert (world.organization.id, 1, "native", {}, {}) == tuple(
        policy[name] for name in ("organization", "version", "preset", "overrides", "environments")
    )
    assert list(keys.KEYS) == list(policy["in_force"])
    assert 10 == policy["in_force"]["credentials.max_usable"]


def test_change_is_in_force_with_its_receipt(world: World) -> None:
    """
    A change makes the next version, answers what is in force, and carries a receipt: it may take access away.
    """
    answer = change(world, set={"credentials.max_usable": 3}, version=1, reason="fewer keys")
    versions = world.owner.get("/v1/policy/versions").json["items"]

    assert (200, 2, 3) == (
        answer.status,
        answer.json["version"],
        answer.json["in_force"]["credentials.max_usable"],
    )
    assert ("policy.changed", world.organization.id) == (
        answer.json["receipt"]["change"],
        answer.json["receipt"]["subject"],
    )
    assert [(2, ["credentials.max_usable"], "fewer keys"), (1, [], "test")] == [
        (each["version"], each["changed"], each["reason"]) for each in versions
    ]
    assert {"credentials.max_usable": 3} == world.owner.get("/v1/policy/versions/2").json["overrides"]


def test_changed_limit_holds_for_the_next_key(world: World) -> None:
    """
    What the policy says is decided for the next change, in this organization alone.
    """
    other = World.create()
    change(world, set={"credentials.max_usable": 1})
    for each in (world, other):
        each.key(each.account("etl"), "k1")

    statuses = [
        each.owner.post(
            f"/v1/service-accounts/{each.owner.get('/v1/service-accounts').json['items'][0]['id']}/keys",
            {"name": "k2"},
        ).status
        for each in (world, other)
    ]
    assert [409, 201] == statuses


def test_seen_version_is_required_where_it_is_stated(world: World) -> None:
    """
    A change that was made from another version is refused: 409 with the field.
    """
    change(world, set={"credentials.max_usable": 3})
    answer = change(world, set={"credentials.max_usable": 4}, version=1)

    assert (409, "state_conflict", "body.version") == (answer.status, answer.code, answer.field)


def test_member_of_a_key_is_set_and_unset(world: World) -> None:
    """
    A member of an object is set alone; given back, the preset decides it again.
    """
    made = change(world, set={"elevated.justification": "optional"}).json
    undone = change(world, unset=["elevated.justification"]).json

    assert {"elevated": {"justification": "optional"}} == made["overrides"]
    assert ({}, "required") == (undone["overrides"], undone["in_force"]["elevated"]["justification"])


def test_environment_is_changed_by_its_label(world: World) -> None:
    """
    Keys of an environment hold for accounts that name it; without any key it is gone.
    """
    made = change(world, environment="production", set={"expiry.max_days": 30}).json
    undone = change(world, environment="production", unset=["expiry.max_days"]).json

    assert {"production": {"expiry.max_days": 30}} == made["environments"]
    assert (365, {}) == (made["in_force"]["expiry.max_days"], undone["environments"])


def test_whole_document_replaces_everything(world: World) -> None:
    """
    A whole document is put in place of the present one; beside it no single key is taken.
    """
    change(world, set={"credentials.max_usable": 3})
    answer = change(world, document={"preset": "wavefront"})
    mixed = change(world, document={}, set={"credentials.max_usable": 3})

    assert ("wavefront", {}, 20) == (
        answer.json["preset"],
        answer.json["overrides"],
        answer.json["in_force"]["credentials.max_usable"],
    )
    assert (400, "body.document") == (mixed.status, mixed.field)


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"set": {"credentials.max_usabel": 3}}, 400, "body.set.credentials.max_usabel"),
        ({"set": {"credentials.max_usable": "3"}}, 400, "body.overrides.credentials.max_usable"),
        ({"unset": ["rocket"]}, 400, "body.unset.0.rocket"),
        ({"preset": "rocket"}, 400, "body.preset"),
        ({"environment": "production", "set": {"credentials.max_usable": 3}}, 400,
         "body.environments.production.credentials.max_usable"),
        ({"environment": "production", "preset": "planhat"}, 400, "body.preset"),
    ],
)  # fmt: skip
def test_mistake_names_the_key(world: World, body: dict[str, Any], status: int, field: str) -> None:
    """
    A mistake is refused with the key at fault, by the change and by its dry run alike; nothing changes.
    """
    answers = [change(world, **body), world.owner.post("/v1/policy/check", body)]

    assert [(status, field)] * 2 == [(each.status, each.field) for each in answers]
    assert 1 == world.owner.get("/v1/policy").json["version"]


def test_check_tells_what_would_break_and_its_use(world: World) -> None:
    """
    A dry run names the keys that differ, each object that breaks, why, and when it was last used.
    """
    account = world.account("etl")
    for name in ("k1", "k2"):
        world.key(account, name)
    found = check(world, set={"credentials.max_usable": 1})
    [item] = found["broken"]

    assert [{"key": "credentials.max_usable", "before": 10, "after": 1}] == found["changed"]
    assert ("credentials.max_usable", "service_account", account.id, "finding", 1) == (
        *(item[name] for name in ("key", "kind", "id", "effect")),
        found["broken_total"],
    )
    assert "2 usable keys, 1 allowed" in item["why"]
    assert (1, None) == (world.owner.get("/v1/policy").json["version"], item["last_used_at"])


def test_check_tells_live_use(world: World) -> None:
    """
    A credential that breaks is shown with its last use and how often it was used.
    """
    account = world.account("etl")
    key, _ = world.key(account)
    entry = Entry(
        int(key.issued_at.timestamp() * 1000),
        *(world.organization.id, account.id, "etl", "service_account", key.id, True),
    )
    ingest("local", secrets.token_hex(8), 0, [entry])
    [item] = [
        each for each in check(world, set={"expiry.max_days": 1})["broken"] if each["kind"] == "api_key"
    ]

    assert (key.id, "etl/k1", 1) == (item["id"], item["name"], item["use_count"])
    assert item["last_used_at"] is not None


def test_change_that_breaks_is_accepted_with_its_count(world: World) -> None:
    """
    What would break must be counted and accepted; fewer than there are is refused, and nothing changes.
    """
    account = world.account("etl")
    for name in ("k1", "k2"):
        world.key(account, name)
    blind = change(world, set={"credentials.max_usable": 1})
    after = world.owner.get("/v1/policy").json["version"]
    seen = change(world, set={"credentials.max_usable": 1}, accept=1)

    assert (409, "body.accept", 1, 200) == (blind.status, blind.field, after, seen.status)


def test_nothing_breaks_by_a_key_that_did_not_change(world: World) -> None:
    """
    A dry run is about its change: what was violated before is not told again.
    """
    account = world.account("etl")
    world.key(account, "k1")
    world.key(account, "k2")
    change(world, set={"credentials.max_usable": 1}, accept=1)

    assert 0 == check(world, set={"grants.ceiling": False})["broken_total"]


def test_presets_and_keys_are_told(world: World) -> None:
    """
    All presets and all keys are listed, with what is allowed and whether a key is enforced.
    """
    told = {each["name"]: each for each in world.owner.get("/v1/policy/keys").json["items"]}
    named = [each["name"] for each in world.owner.get("/v1/policy/presets").json["items"]]

    assert list(keys.KEYS) == list(told)
    assert list(presets.PRESETS) == named
    assert ("a whole number from 1 to 1000000, or null", 10, True) == tuple(
        told["credentials.max_usable"][name] for name in ("allowed", "default", "enforced")
    )


def test_policy_of_another_organization_is_not_seen(world: World) -> None:
    """
    Versions are the organization's own; a number that it does not have is not found.
    """
    change(World.create(), set={"credentials.max_usable": 3})

    assert (404, 404, 404) == tuple(
        world.owner.get(f"/v1/policy/versions/{each}").status for each in ("2", "x", "0")
    )


def test_reading_is_not_changing(world: World) -> None:
    """
    policy:read sees and tries, policy:update changes.
    """
    reader = world.caller("policy:read")

    assert (200, 200, 403) == (
        reader.get("/v1/policy").status,
        reader.post("/v1/policy/check", {}).status,
        reader.patch("/v1/policy", {}).status,
    )


def test_consequences_of_the_lease_are_said(world: World) -> None:
    """
    The answer says in words what the length of the lease means, for outages and for revokes.
    """
    said = " ".join(world.owner.get("/v1/policy").json["consequences"])

    assert "at least 7.5 s" in said
    assert "at most 10.5 s" in said


def test_prefix_is_fixed_with_the_first_credential(world: World) -> None:
    """
    Where a credential exists, tokens go on to begin as they do; a new organization may choose.
    """
    answer = change(world, set={"credentials.prefix": "acme"})
    with transaction(SYSTEM, reason="test") as tx:
        fresh = directory.create_organization(tx, handle=f"o-{secrets.token_hex(6)}", name="Fresh")
        actions.change(tx, fresh.id, lambda now: Document(overrides={"credentials.prefix": "acme"}))

    assert (409, "state_conflict", "body.overrides.credentials.prefix") == (
        answer.status,
        answer.code,
        answer.field,
    )
    assert "acme" == policy_of(fresh.id).credentials_prefix
