"""Values that no field can mean: each gets a clear refusal that names it, and nothing is done."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.world import Answer, World

FAR = ("999999999d", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59")
WHY = {"justification": "a test"}


def _refused(answer: Answer, field: str) -> None:
    assert (400, "invalid_value") == (answer.status, answer.code), answer.text
    assert field == answer.field, answer.text


@pytest.mark.parametrize("text", FAR)
def test_an_end_out_of_all_time_is_refused(world: World, text: str) -> None:
    """
    An end beyond the calendar, or before it, is refused wherever something may end: grants, roles, memberships,
    keys and tokens.
    """
    account = world.account()
    group = world.owner.post("/v1/groups", {"name": "Blue"}).json["id"]
    key, _ = world.key(account)
    subject = {"subject": account.id, "expires": text} | WHY
    for path, body in (
        ("/v1/grants", subject | {"permission": "report:read"}),
        (f"/v1/service-accounts/{account.id}/grants", {"permission": "report:read", "expires": text}),
        ("/v1/assignments", subject | {"role": "auditor"}),
        (f"/v1/groups/{group}/add", {"members": [account.id], "expires": text}),
        (f"/v1/service-accounts/{account.id}/keys", {"name": "far", "expires": text}),
        (f"/v1/keys/{key.id}/expire", {"expires": text}),
        ("/v1/me/tokens", {"name": "far", "expires": text}),
    ):
        _refused(world.owner.post(path, body), "body.expires")


CONDITIONS: tuple[Any, ...] = (
    "text",
    7,
    None,
    {"field": "name", "values": [7]},
    {"field": 7, "values": ["x"]},
    {"field": ["name"], "values": ["x"]},
    {"field": "name", "values": [None]},
    {"field": "name", "values": "x"},
    {"field": "name", "values": ["x"], "more": True},
    {},
)


@pytest.mark.parametrize("wrong", CONDITIONS)
@pytest.mark.parametrize("section", ["access_policies", "groups"])
def test_conditions_of_a_document_are_checked(world: World, section: str, wrong: Any) -> None:
    """
    What is no condition is refused in a document as it is in the API.
    """
    rule = {"rule": "condition"} if section == "groups" else {}
    document = {section: [{"name": "P", "conditions": [wrong], **rule}]}
    answer = world.owner.post("/v1/configuration/plan", {"document": document})

    assert 400 <= answer.status < 500, answer.text
    assert answer.field is not None
    assert answer.field.startswith(f"body.document.{section}.0.conditions.0")


@pytest.mark.parametrize(
    "grant",
    [
        {"permission": "report:read", "resource": {"ids": [7]}},
        {"permission": "report:read", "resource": [[]]},
        {"permission": "report:read", "resource": {"where": {"a": [7]}}},
        {"permission": "report:read", "resource": 7},
    ],
)
def test_grants_of_a_document_are_checked(world: World, grant: dict[str, Any]) -> None:
    """
    A selector that is none is refused in a document, with the place. (Ends: test_configuration_again.)
    """
    world.account()
    document = {"service_accounts": [{"handle": "etl", "grants": [grant]}]}
    planned = world.owner.post("/v1/configuration/plan", {"document": document})
    assert 200 == planned.status, planned.text
    refused = planned.json["refused"]

    assert "invalid_value" == refused["code"]
    assert refused["field"].startswith("service_accounts.etl.grants.0.")


@pytest.mark.parametrize(
    ("section", "entry"),
    [
        ("roles", {"handle": "r", "like": "nobody"}),
        ("service_accounts", {"handle": "etl", "attributes": {"a": [1]}}),
        ("service_accounts", {"handle": "etl", "owners": ["nobody@example.com"]}),
        ("groups", {"name": "G", "members": ["nobody"]}),
        ("access_policies", {"name": "P", "subjects": ["group"]}),
        ("access_policies", {"name": "P", "subjects": ["role:x"]}),
        ("teams", {"name": "T", "resources": ["a b"]}),
        ("users", {"email": "none"}),
    ],
)
def test_a_document_that_names_what_is_not_there_is_refused(
    world: World, section: str, entry: dict[str, Any]
) -> None:
    """
    A plan tells what would refuse a document, whatever is wrong with it.
    """
    world.account()
    planned = world.owner.post("/v1/configuration/plan", {"document": {section: [entry]}})

    assert 200 == planned.status, planned.text
    assert planned.json["refused"]["field"].startswith(f"{section}.")


def test_a_locked_policy_is_unlocked_changed_and_locked_by_a_document(world: World) -> None:
    """
    A document may change a policy in the step that unlocks it, or locks it.
    """
    made = world.owner.post("/v1/access-policies", {"name": "P"}).json["id"]
    world.owner.patch(f"/v1/access-policies/{made}", {"locked": True})
    for entry in (
        {"name": "P", "locked": False, "description": "one"},
        {"name": "P", "locked": True, "description": "two"},
    ):
        document = {"access_policies": [entry]}
        planned = world.owner.post("/v1/configuration/plan", {"document": document})
        body = {"document": document, "digest": planned.json["digest"]}
        applied = world.owner.post("/v1/configuration/apply", body)

        assert (200, None) == (planned.status, planned.json["refused"])
        assert 200 == applied.status, applied.text
        seen = world.owner.get(f"/v1/access-policies/{made}").json
        assert (entry["locked"], entry["description"]) == (seen["locked"], seen["description"])


def test_changes_of_one_object_are_simulated_one_after_the_other(world: World) -> None:
    """
    A simulation may change the same object more than once.
    """
    world.owner.post("/v1/roles", {"name": "Reader", "permissions": ["report:read"]})
    account = world.account(roles=("reader",))
    changes = [
        {"act": "update_role", "role": "reader", "permissions": ["report:write"]},
        {"act": "update_role", "role": "reader", "permissions": ["report:export"]},
    ]
    found = world.owner.post("/v1/decisions/simulate", {"changes": changes, "principals": [account.id]})

    assert 200 == found.status, found.text
    assert [(["report:export"], ["report:read"])] == [
        (each["gained"], each["lost"]) for each in found.json["items"]
    ]
