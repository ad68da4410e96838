"""``/v1/configuration``: an organization's access as a document: exported, planned, applied."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from retinue.server.ledger.models import AuditEvent
from tests.api.world import JSON, Caller, World

PATH = "/v1/configuration"


def _export(world: World) -> JSON:
    answer = world.owner.get(PATH)
    assert 200 == answer.status, answer.text
    return dict(answer.json)


def _plan(caller: Caller, document: JSON, **more: object) -> JSON:
    answer = caller.post(f"{PATH}/plan", {"document": document, "justification": "from git", **more})
    assert 200 == answer.status, answer.text
    return dict(answer.json)


def _apply(caller: Caller, document: JSON, **more: object) -> Any:
    digest = _plan(caller, document, **{k: v for k, v in more.items() if k == "prune"})["digest"]
    body = {"document": document, "justification": "from git", "digest": digest, **more}
    return caller.post(f"{PATH}/apply", body)


def _acts(plan: JSON) -> list[tuple[str, str, str]]:
    return [(step["act"], step["section"], step["key"]) for step in plan["steps"]]


def _whole(world: World) -> JSON:
    """A document with something in every section, each naming others."""
    return {
        "users": [{"email": f"ada@{world.organization.handle}.example", "name": "Ada", "roles": ["member"]}],
        "roles": [
            {"handle": "reporter", "name": "Reporter", "permissions": ["report:read", "report:export"]}
        ],
        "groups": [
            {
                "name": "Data",
                "description": "who loads data",
                "members": ["account:etl", f"user:ada@{world.organization.handle}.example"],
                "roles": ["reporter"],
                "grants": [{"permission": "report:write", "resource": {"ids": ["r1"]}}],
            }
        ],
        "teams": [{"name": "North", "members": ["account:etl"], "resources": ["r1", "r2"]}],
        "service_accounts": [
            {
                "handle": "etl",
                "name": "ETL",
                "purpose": "loads",
                "systems": ["warehouse"],
                "environment": "production",
                "owners": [f"ada@{world.organization.handle}.example"],
                "roles": ["auditor"],
                "grants": [{"permission": "report:read", "justification": "a test"}],
            }
        ],
        "access_policies": [
            {"name": "Readers", "subjects": ["group:Data", "account:etl"], "roles": ["reporter"]}
        ],
    }


def test_what_is_exported_plans_nothing(world: World) -> None:
    """
    A fresh organization, and one that is full, are what their own documents say.
    """
    assert [] == _plan(world.owner, _export(world))["steps"]
    assert 200 == _apply(world.owner, _whole(world)).status
    assert [] == _plan(world.owner, _export(world), prune=True)["steps"]
    assert [] == _plan(world.owner, _whole(world))["steps"]


def test_a_document_makes_all_of_it(world: World) -> None:
    """
    Users, roles, groups, teams, accounts and access policies come about, with members, roles and grants.
    """
    plan = _plan(world.owner, _whole(world))
    applied = _apply(world.owner, _whole(world))
    found = _export(world)

    assert plan["refused"] is None
    assert {"users", "roles", "groups", "teams", "service_accounts", "access_policies"} == {
        section for _, section, _ in _acts(plan)
    }
    assert 200 == applied.status
    assert applied.json["steps"] == plan["steps"]
    [account] = [each for each in found["service_accounts"] if each["handle"] == "etl"]
    assert (["auditor"], ["report:read"], ["warehouse"]) == (
        account["roles"], [each["permission"] for each in account["grants"]], account["systems"],
    )  # fmt: skip
    [group] = [each for each in found["groups"] if each["name"] == "Data"]
    assert (["reporter"], {"ids": ["r1"]}, 2) == (
        group["roles"], group["grants"][0]["resource"], len(group["members"]),
    )  # fmt: skip
    ident = world.owner.get("/v1/service-accounts?handle=etl").json["items"][0]["id"]
    effective = world.owner.get(f"/v1/service-accounts/{ident}/permissions").json["items"]
    assert {"report:read", "report:export"} <= {each["permission"] for each in effective}


def test_an_organization_is_made_again_from_its_document(world: World) -> None:
    """
    The document of one organization, applied to a new one, gives the same document.
    """
    _apply(world.owner, _whole(world))
    mine = _export(world)
    other = World.create()
    mine["users"] = [each for each in mine["users"] if not each["email"].startswith("owner@")]
    for each in mine["service_accounts"]:
        each["owners"] = [mine["users"][0]["email"]]
    assert 200 == _apply(other.owner, mine).status
    theirs = _export(other)
    theirs["users"] = [each for each in theirs["users"] if not each["email"].startswith("owner@")]

    assert mine == theirs


def test_only_what_differs_is_changed(world: World) -> None:
    """
    One field of one object is one step with that field; what the document leaves out stays as it is.
    """
    _apply(world.owner, _whole(world))
    before = _export(world)
    document = {"service_accounts": [{"handle": "etl", "purpose": "loads the warehouse", "roles": []}]}
    plan = _plan(world.owner, document)
    assert 200 == _apply(world.owner, document).status

    assert [("update", "service_accounts", "etl")] == _acts(plan)
    assert {"purpose", "roles"} == {each["field"] for each in plan["steps"][0]["fields"]}
    expected = copy.deepcopy(before)
    [account] = [each for each in expected["service_accounts"] if each["handle"] == "etl"]
    account["purpose"], account["roles"] = "loads the warehouse", []
    assert expected == _export(world)


def test_members_roles_grants_and_resources_go_as_well_as_come(world: World) -> None:
    """
    A list that is given is the whole list.
    """
    _apply(world.owner, _whole(world))
    document = {
        "groups": [{"name": "data", "members": [], "roles": ["auditor"], "grants": []}],
        "teams": [{"name": "North", "resources": ["r2", "r3"]}],
    }
    assert 200 == _apply(world.owner, document).status
    found = _export(world)

    [group] = [each for each in found["groups"] if each["name"] == "Data"]
    [team] = [each for each in found["teams"] if each["name"] == "North"]
    assert ([], ["auditor"], []) == (group["members"], group["roles"], group["grants"])
    assert ["r2", "r3"] == team["resources"]


def test_pruning_deletes_what_is_not_wanted_but_no_people_and_nothing_of_the_preset(world: World) -> None:
    """
    Without it everything else stays; with it accounts, roles, groups and policies go.
    """
    _apply(world.owner, _whole(world))
    empty: JSON = {
        name: [] for name in ("users", "roles", "groups", "teams", "service_accounts", "access_policies")
    }
    kept = _plan(world.owner, empty)
    pruned = _plan(world.owner, empty, prune=True)
    assert 200 == _apply(world.owner, empty, prune=True).status
    found = _export(world)

    assert [] == kept["steps"]
    assert {
        ("delete", "access_policies", "Readers"), ("delete", "service_accounts", "etl"),
        ("delete", "teams", "North"), ("delete", "groups", "Data"), ("delete", "roles", "reporter"),
    } == set(_acts(pruned))  # fmt: skip
    assert 2 == len(found["users"])
    assert {"owner", "member", "auditor"} <= {each["handle"] for each in found["roles"]}
    assert {"People", "Service accounts"} <= {each["name"] for each in found["groups"]}


def test_a_plan_says_what_would_refuse_it_and_changes_nothing(world: World) -> None:
    """
    A permission that is not declared is named with its place; applying it leaves nothing, not even the rest.
    """
    document = _whole(world)
    document["service_accounts"][0]["grants"] = [{"permission": "rocket:launch"}]
    before, events = _export(world), AuditEvent.objects.count()
    plan = _plan(world.owner, document)
    after = AuditEvent.objects.count()
    applied = _apply(world.owner, document)

    assert ("permission_unknown", "service_accounts.etl.grants.0.permission") == (
        plan["refused"]["code"], plan["refused"]["field"],
    )  # fmt: skip
    assert events == after
    assert (422, "permission_unknown") == (applied.status, applied.code)
    assert before == _export(world)


def test_a_plan_that_is_out_of_date_is_not_applied(world: World) -> None:
    """
    Another change in between makes another plan; the digest of the old one is refused.
    """
    document = _whole(world)
    digest = _plan(world.owner, document)["digest"]
    world.owner.post("/v1/roles", {"handle": "reporter", "name": "Mine", "permissions": []})
    answer = world.owner.post(f"{PATH}/apply", {"document": document, "digest": digest})

    assert (409, "body.digest") == (answer.status, answer.field)


def test_who_applies_needs_what_its_changes_need(world: World) -> None:
    """
    Whoever may read all may plan; applying names the permission that is missing, and the ceiling holds.
    """
    reads = tuple(sorted({"policy:read", "user:read", "role:read", "group:read", "team:read",
                          "service_account:read", "access_policy:read", "grant:read"}))  # fmt: skip
    reader = world.caller(*reads)
    writer = world.caller(*reads, "role:create")
    document = {"roles": [{"handle": "reporter", "name": "R", "permissions": ["report:read"]}]}
    plan = _plan(reader, document)
    refused = _apply(reader, document)
    beyond = _apply(writer, document)

    assert ["role:create"] == plan["needs"]
    assert (403, ["role:create"]) == (refused.status, refused.json["required"])
    assert (403, "ceiling_exceeded") == (beyond.status, beyond.code)


@pytest.mark.parametrize(
    ("document", "code", "field"),
    [
        ({"roles": [{"handle": "a", "colour": "red"}]}, "unknown_field", "body.document.roles.0.colour"),
        ({"version": 2}, "invalid_value", "body.document.version"),
        ({"roles": [{"name": "a"}]}, "missing_field", "body.document.roles.0.handle"),
        ({"groups": [{"name": "a"}, {"name": "A"}]}, "duplicate_name", "body.groups.1.name"),
        ({"service_accounts": [{"handle": "a", "state": "sleepy"}]}, "invalid_value",
         "body.document.service_accounts.0.state"),
    ],
)  # fmt: skip
def test_a_bad_document_is_refused(world: World, document: JSON, code: str, field: str) -> None:
    """
    What is at fault is named with its place.
    """
    answer = world.owner.post(f"{PATH}/plan", {"document": document})

    assert (code, field) == (answer.code, answer.field), answer.text


def test_nothing_of_another_organization_is_reached(world: World) -> None:
    """
    Its people and accounts cannot be named, and are in no document.
    """
    other = World.create()
    other.account("theirs")
    document = {"groups": [{"name": "Mix", "members": ["account:theirs"]}]}
    answer = _apply(world.owner, document)

    assert "theirs" not in world.owner.get(PATH).text
    assert (404, "not_found") == (answer.status, answer.code)
    assert "Mix" not in world.owner.get(PATH).text


def test_no_secret_is_in_a_document(world: World) -> None:
    """
    Neither token nor digest nor key stands in an export.
    """
    key, token = world.key(world.account("etl"))
    text = world.owner.get(PATH).text

    assert token.reveal() not in text
    assert key.kid not in text
    assert "digest" not in text
