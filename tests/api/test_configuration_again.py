"""An organization's document, applied elsewhere or again: nothing is lost, and nothing lives longer than it did."""

from __future__ import annotations

import time
from typing import Any

import pytest

from retinue.server.api import configuration
from tests.api.policies import set_policy
from tests.api.test_configuration import PATH, _acts, _apply, _export, _plan
from tests.api.world import JSON, World

WHY = {"justification": "a test"}


def _account(world: World, name: str = "Sync", **given: Any) -> JSON:
    body = {"name": name, "purpose": "x", "owners": [world.owner.id], **given}
    made = world.owner.post("/v1/service-accounts", body)
    assert 201 == made.status, made.text
    return dict(made.json)


def _elsewhere(world: World, document: JSON) -> tuple[World, JSON]:
    """Apply a document to a new organization whose owner is found under the old address; return its own."""
    other = World.create()
    body = {"email": world.owner.principal.email, "name": "Olga Owner", "roles": ["owner"], **WHY}  # type: ignore[union-attr]
    assert 201 == other.owner.post("/v1/users", body).status
    answer = _apply(other.owner, document)
    assert 200 == answer.status, answer.text
    found = _export(other)
    mine = other.owner.principal.email  # type: ignore[union-attr]
    found["users"] = [each for each in found["users"] if each["email"] != mine]
    return other, found


def test_texts_states_and_ends_are_kept(world: World) -> None:
    """
    Texts of several lines, a disabled person, and roles, grants and members that end by themselves are the same
    in the organization that is made from the document.
    """
    account = _account(world, description="one\ntwo", purpose="three\nfour")
    gone = world.owner.post("/v1/users", {"email": "gone@x.example", "name": "Gone"}).json
    world.owner.post(f"/v1/users/{gone['id']}/disable")
    group = world.owner.post("/v1/groups", {"name": "Data"}).json["id"]
    ends: JSON = {"expires": "30d", **WHY}
    world.owner.post(f"/v1/groups/{group}/add", {"members": [account["id"]], **ends})
    world.owner.post("/v1/assignments", {"subject": account["id"], "role": "auditor", **ends})
    world.owner.post("/v1/grants", {"subject": account["id"], "permission": "report:read", **ends})
    document = _export(world)
    _, found = _elsewhere(world, document)

    assert document == found
    [entry] = found["service_accounts"]
    assert ("one\ntwo", "auditor") == (entry["description"], entry["roles"][0]["name"])
    assert None is not entry["grants"][0]["expires_at"]
    assert {"owner": "enabled", "gone": "disabled"} == {
        each["email"].partition("@")[0]: each["state"] for each in found["users"]
    }


def test_an_end_is_changed_and_taken_off(world: World) -> None:
    """
    A role and a member with another end, or without one, are a difference; applied, there is none.
    """
    account = _account(world)
    group = world.owner.post("/v1/groups", {"name": "Data"}).json["id"]
    world.owner.post(f"/v1/groups/{group}/add", {"members": [account["id"]], "expires": "30d", **WHY})
    world.owner.post(
        "/v1/assignments", {"subject": account["id"], "role": "auditor", "expires": "30d", **WHY}
    )
    document = {
        "service_accounts": [{"handle": "sync", "roles": ["auditor"]}],
        "groups": [
            {"name": "data", "members": [{"name": "account:SYNC", "expires_at": "2096-01-01T01:00:00+01:00"}]}
        ],
    }
    acts = _acts(_plan(world.owner, document))
    assert 200 == _apply(world.owner, document).status
    found = _export(world)

    assert [("update", "groups", "Data"), ("update", "service_accounts", "sync")] == acts
    assert ["auditor"] == found["service_accounts"][0]["roles"]
    [data] = [each for each in found["groups"] if each["name"] == "Data"]
    assert [{"name": "account:sync", "expires_at": "2096-01-01T00:00:00.000Z"}] == data["members"]
    assert [] == _plan(world.owner, document)["steps"]


def test_a_file_may_name_what_has_ended(world: World) -> None:
    """
    Once the end of something is past, the file that names it is as good as one that does not; what has ended
    stands in no document.
    """
    account = _account(world)
    more = {"subject": account["id"], "expires": "3s", **WHY}
    world.owner.post("/v1/grants", {"permission": "report:read", **more})
    world.owner.post("/v1/assignments", {"role": "auditor", **more})
    document = _export(world)
    assert "expires_at" in str(document["service_accounts"][0]["roles"])
    time.sleep(3.1)

    assert [] == _plan(world.owner, document)["steps"]
    assert ([], []) == tuple(_export(world)["service_accounts"][0][name] for name in ("roles", "grants"))


def test_accounts_that_share_a_handle_are_told_apart(world: World) -> None:
    """
    Where names need not be unique, entries and members name accounts by id. Elsewhere as many are made, each with
    what was its own, and applying once more changes nothing; a change reaches the one that is named.
    """
    set_policy(world, accounts__unique="none")
    ones = [_account(world, purpose=purpose) for purpose in ("first", "second")]
    world.owner.post("/v1/groups", {"name": "Data"})
    group = world.owner.get("/v1/groups?search=Data").json["items"][0]["id"]
    world.owner.post(f"/v1/groups/{group}/add", {"members": [ones[1]["id"]], **WHY})
    document = _export(world)
    other, found = _elsewhere(world, document)
    purposes = {each["id"]: each["purpose"] for each in found["service_accounts"]}
    [data] = [each for each in found["groups"] if each["name"] == "Data"]

    assert [] == _plan(world.owner, document)["steps"]
    assert ["first", "second"] == sorted(purposes.values())
    assert ["second"] == [purposes[each.removeprefix("account:")] for each in data["members"]]
    assert [] == _plan(other.owner, document, prune=True)["steps"]
    change: JSON = {"service_accounts": [{"handle": "sync", "id": ones[0]["id"], "purpose": "changed"}]}
    assert 200 == _apply(world.owner, change).status
    assert ["changed", "second"] == [
        world.owner.get(f"/v1/service-accounts/{each['id']}").json["purpose"] for each in ones
    ]
    unclear = {"document": {"service_accounts": [{"handle": "sync", "purpose": "which?"}]}}
    answer = world.owner.post(f"{PATH}/plan", unclear)
    assert (400, "body.service_accounts.0.id") == (answer.status, answer.field)


def test_a_file_ends_nobody_who_must_stay(world: World) -> None:
    """
    The last owner loses no role by a document and is not disabled by one, and nobody disables themselves.
    """
    email = world.owner.principal.email  # type: ignore[union-attr]
    changes: list[JSON] = [{"roles": []}, {"state": "disabled"}]
    roles, state = (
        _plan(world.owner, {"users": [{"email": email, **change}]})["refused"] for change in changes
    )
    second = {"email": "b@x.example", "roles": ["owner"]}
    assert 200 == _apply(world.owner, {"users": [second]}).status
    assert 200 == _apply(world.owner, {"users": [{"email": email, "roles": ["member"]}]}).status

    assert ["state_conflict", "state_conflict"] == [roles["code"], state["code"]]
    assert "last enabled user" in roles["detail"]


@pytest.mark.parametrize(
    ("section", "entry", "field"),
    [
        ("service_accounts", {"grants": [{"permission": "report:read", "expires_at": "soon"}]},
         "grants.0.expires_at"),
        ("service_accounts", {"grants": [{"permission": "report:read", "expires_at": "2096-01-01T00:00:00"}]},
         "grants.0.expires_at"),
        ("service_accounts", {"grants": [{"permission": "report:read",
                                          "expires_at": "9999-12-31T23:59:59-23:59"}]}, "grants.0.expires_at"),
        ("service_accounts", {"roles": [{"name": "auditor", "expires_at": "2999-01-01"}]},
         "roles.0.ending.expires_at"),
        ("groups", {"rule": "condition", "conditions": ["x"]}, "conditions.0"),
        ("access_policies", {"conditions": [7]}, "conditions.0"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_by_its_field(
    world: World, section: str, entry: JSON, field: str
) -> None:
    """
    A value that no object can have is named with its place in the document.
    """
    key = "handle" if section in ("service_accounts", "roles") else "name"
    answer = world.owner.post(f"{PATH}/plan", {"document": {section: [{key: "a", **entry}]}})

    assert (400, "invalid_value", f"body.document.{section}.0.{field}") == (
        answer.status, answer.code, answer.field,
    )  # fmt: skip


def test_a_large_document_is_read(world: World) -> None:
    """
    Thousands of entries are compared, more than any other call may send; more changes than fit in one call are
    refused as such, and nothing of them is kept.
    """
    entries = [
        {"handle": f"a{number}", "name": f"A {number}", "purpose": "x" * 200} for number in range(3_000)
    ]
    document = {"service_accounts": entries[:2]}
    for each in document["service_accounts"]:
        each["owners"] = [world.owner.principal.email]  # type: ignore[union-attr, assignment]
    assert 200 == _apply(world.owner, document).status
    assert [] == _plan(world.owner, {"groups": [], "service_accounts": document["service_accounts"]})["steps"]
    plan = _plan(world.owner, {"service_accounts": entries})

    assert 2_998 == len(plan["steps"])
    assert None is not plan["refused"]


def test_too_many_changes_are_refused_as_such(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    More changes than there is time for are refused by the document, not as a database that is away; nothing stays.
    """
    monkeypatch.setattr(configuration, "SECONDS", 0.0)
    owners = [world.owner.principal.email]  # type: ignore[union-attr]
    document = {"service_accounts": [{"handle": "etl", "purpose": "x", "owners": owners}]}
    plan = _plan(world.owner, document)
    answer = world.owner.post(f"{PATH}/apply", {"document": document, "digest": plan["digest"]})

    assert ("too_large", "document") == (plan["refused"]["code"], plan["refused"]["field"])
    assert (400, "too_large") == (answer.status, answer.code)
    assert [] == _export(world)["service_accounts"]
