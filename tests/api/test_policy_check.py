"""What a dry run of the policy finds, key by key: whom the change would break, how, and why."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from retinue.server.api import policy
from retinue.server.credentials.queries import Credential
from retinue.server.directory.queries import Principal
from retinue.server.traffic.actions import Entry, ingest
from tests.api.lists import put_back
from tests.api.policies import set_environment, set_policy
from tests.api.world import World

#: What makes a stock that a change breaks; gets the world, returns the id of what breaks.
Make = Callable[[World], str]


def _account(world: World, **given: Any) -> str:
    return world.account("etl", **given).id


def _key(world: World, days: int = 0) -> str:
    key, _ = world.key(world.account("etl"))
    if days:
        put_back(Credential, key.id, issued_at=datetime.now(UTC) - timedelta(days=days))
    return key.id


def _endless(world: World) -> str:
    set_policy(world, expiry__required=False, expiry__default_days="never", expiry__max_days=None)
    return _key(world, days=100)


def _two_keys(world: World) -> str:
    account = world.account("etl")
    for name in ("k1", "k2"):
        world.key(account, name)
    return account.id


def _of_environment(world: World, label: str = "staging") -> str:
    key, _ = world.key(account := world.account("etl"))
    put_back(Principal, account.id, environment=label)
    return key.id


def _member(world: World, kind: str) -> str:
    account = _account(world)
    group = world.owner.post(f"/v1/{kind}s", {"name": "Loaders"}).json["id"]
    added = world.owner.post(f"/v1/{kind}s/{group}/add", {"members": [account], "justification": "x"})
    held = world.owner.post(
        "/v1/grants", {"subject": group, "permission": "report:read", "justification": "x"}
    )
    assert (200, 201) == (added.status, held.status), (added.text, held.text)
    return account


def _matched(world: World) -> str:
    account = _account(world)
    rule = {"name": "Loaders", "subjects": [account], "permissions": ["report:read"], "justification": "x"}
    made = world.owner.post("/v1/access-policies", rule)
    assert made.status == 201, made.text
    return account


def _used(world: World, credential: str, account: str, address: str = "10.1.2.3") -> str:
    now = int(datetime.now(UTC).timestamp() * 1000)
    entry = Entry(
        *(now, world.organization.id, account, "etl", "service_account", credential, True),
        address=address,
    )
    ingest("local", secrets.token_hex(8), 0, [entry])
    return credential


def _key_in_use(world: World) -> str:
    key, _ = world.key(account := world.account("etl"))
    return _used(world, key.id, account.id)


def _ingest(world: World) -> str:
    set_policy(world, ingest__enabled=True)
    made = world.owner.post("/v1/ingest-tokens", {"name": "i", "endpoints": ["/e"]})
    return str(made.json["key"]["id"])


def _ingest_in_a_path(world: World) -> str:
    set_policy(world, ingest__presentation=["header", "path"])
    ident = _ingest(world)
    return _used(world, ident, "")


def _personal(world: World) -> str:
    """A token that its user made, who lost the permission for it since."""
    set_policy(world, pat__on_permission_loss="keep")
    user, caller = world.user()
    role = {"subject": user.id, "role": "member"}
    assigned = world.owner.post("/v1/assignments", role).json["id"]
    made = caller.post("/v1/me/tokens", {"name": "own"})
    world.owner.delete(f"/v1/assignments/{assigned}")
    return str(made.json["key"]["id"])


def _tokens_of_a_user(world: World) -> str:
    user, caller = world.user()
    world.owner.post("/v1/assignments", {"subject": user.id, "role": "member"})
    caller.post("/v1/me/tokens", {"name": "own"})
    return user.id


#: By name: what there is, the change, the key that breaks it, what becomes of it, and words of why.
CASES: dict[str, tuple[Make, dict[str, Any], str, str, str]] = {
    "a name": (_account, {"accounts.name_pattern": "svc-.*"}, "accounts.name_pattern", "finding", "svc-"),
    "a field": (_account, {"accounts.required": ["name", "systems"]}, "accounts.required", "finding",
                "states no systems"),
    "keys of an account": (_two_keys, {"credentials.max_usable": 1}, "credentials.max_usable", "finding",
                           "2 usable keys, 1 allowed"),
    "a lifetime": (_key, {"expiry.max_days": 7}, "expiry.max_days", "finding", "issued for 90 days, 7 allowed"),
    "a lifetime of an environment": (_of_environment, {"expiry.by_environment": {"staging": 7}},
                                     "expiry.max_days", "finding", "issued for 90 days, 7 allowed"),
    "no end": (_endless, {"expiry.required": True, "expiry.default_days": 90}, "expiry.required", "finding", "never expires"),
    "an end for all": (_endless, {"expiry.enforce": "all", "expiry.required": True, "expiry.default_days": 30}, "expiry.enforce", "shortened",
                       "will end at"),
    "a rhythm": (lambda world: _key(world, days=40), {"rotation.every_days": 30}, "rotation.every_days",
                 "finding", "older than 30 days"),
    "a direct grant": (lambda world: _account(world, permissions=("report:read",)),
                       {"grants.sources": ["role"]}, "grants.sources", "refused", "loses report:read"),
    "a role": (lambda world: _account(world, roles=("auditor",)), {"grants.sources": ["direct"]},
               "grants.sources", "refused", "loses access_policy:read"),
    "a group": (lambda world: _member(world, "group"), {"grants.sources": ["direct", "role"]}, "grants.sources",
                "refused", "loses report:read"),
    "a team": (lambda world: _member(world, "team"), {"grants.sources": ["direct", "role"]}, "grants.sources",
               "refused", "loses report:read"),
    "an access policy": (_matched, {"grants.sources": ["direct", "role"]}, "grants.sources", "refused",
                         "loses report:read"),
    "a forbidden permission": (lambda world: _member(world, "group"),
                               {"forbidden_for_service.permissions": ["report:read"]}, "forbidden_for_service",
                               "refused", "loses report:read"),
    "a forbidden role": (lambda world: _account(world, roles=("auditor",)),
                         {"forbidden_for_service.roles": ["owner", "auditor"]}, "forbidden_for_service",
                         "refused", "loses access_policy:read"),
    "a forbidden group": (lambda world: _member(world, "group"), {"forbidden_for_service.groups": ["loaders"]},
                          "forbidden_for_service", "refused", "loses report:read"),
    "more roles": (_account, {"grants.roles_per_account": {"min": 1, "max": 1}}, "grants.roles_per_account",
                   "finding", "holds 0 roles"),
    "personal tokens": (lambda world: world.owner.get("/v1/personal-access-tokens").json["items"][0]["id"],
                        {"pat.enabled": False}, "pat.enabled", "refused", "switched off"),
    "who may issue": (_personal, {"pat.on_permission_loss": "suspend"}, "pat.on_permission_loss", "refused",
                      "lacks pat:issue"),
    "tokens of a user": (_tokens_of_a_user, {"pat.max_usable": 1}, "pat.max_usable", "finding",
                         "2 usable tokens, 1 allowed"),
    "ingest tokens": (_ingest, {"ingest.enabled": False}, "ingest.enabled", "refused", "switched off"),
    "a place of ingest tokens": (_ingest_in_a_path, {"ingest.presentation": ["header"]}, "ingest.presentation",
                                 "refused", "presented as path"),
    "a network": (_key_in_use, {"network.allow": ["192.0.2.0/24"]}, "network", "refused", "10.1.2.3"),
    "a scheme": (_key_in_use, {"credentials.schemes": ["header:X-Key"]}, "credentials.schemes", "refused",
                 "presented as bearer"),
}  # fmt: skip
#: The caller is among those who break.
LOCK_OUT = ("personal tokens", "a network", "a scheme")


@pytest.mark.parametrize("case", CASES)
def test_a_check_finds_what_breaks(world: World, case: str) -> None:
    """
    The dry run names the key, the object, what becomes of it and why; the change itself is refused until as many
    are accepted; and a change that repeats what is in force breaks nothing.
    """
    make, stated, key, effect, why = CASES[case]
    ident = make(world)
    checked = world.owner.post("/v1/policy/check", {"set": stated})
    assert checked.status == 200, checked.text
    found = checked.json
    mine = [each for each in found["broken"] if (each["key"], each["id"]) == (key, ident)]
    refused = world.owner.patch("/v1/policy", {"set": stated, "accept": found["broken_total"] - 1})

    assert [effect] == [each["effect"] for each in mine], found["broken"]
    assert why in mine[0]["why"]
    assert (409, "body.accept") == (refused.status, refused.field), refused.text
    assert 200 == world.owner.patch("/v1/policy", {"set": stated, "accept": found["broken_total"]}).status
    again = world.owner.post("/v1/policy/check", {"set": stated})
    assert [] == again.json["broken"] if case not in LOCK_OUT else again.status in (401, 403)


def test_what_is_held_another_way_is_not_lost(world: World) -> None:
    """
    An account that has by a role what it had by a grant loses nothing with the grants.
    """
    account = world.account("etl", roles=("auditor",), permissions=("report:read", "role:read"))
    found = world.owner.post("/v1/policy/check", {"set": {"grants.sources": ["role"]}}).json["broken"]

    assert [(account.id, "loses report:read")] == [(each["id"], each["why"]) for each in found]


def test_an_environment_breaks_its_own(world: World) -> None:
    """
    An override for an environment breaks what belongs to accounts that name it, and nothing else.
    """
    ident = _of_environment(world)
    world.key(world.account("other"))
    body = {"environment": "staging", "set": {"expiry.max_days": 7}}
    found = world.owner.post("/v1/policy/check", body).json["broken"]
    set_environment(world, "staging", expiry__max_days=7)

    assert [ident] == [each["id"] for each in found]
    assert [] == world.owner.post("/v1/policy/check", body).json["broken"]


def test_what_cannot_be_counted_in_time_is_refused_as_such(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A dry run, and a change, that takes too long says so and changes nothing; it is no failure of the database.
    """
    _account(world)
    monkeypatch.setattr(policy, "SECONDS", -1.0)
    stated = {"set": {"accounts.name_pattern": "svc-.*"}}
    answers = [world.owner.post("/v1/policy/check", stated), world.owner.patch("/v1/policy", stated)]

    assert [(413, "too_large")] * 2 == [(each.status, each.code) for each in answers]
    assert 1 == world.owner.get("/v1/policy").json["version"]
