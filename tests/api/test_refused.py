"""Every refused change is one event."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from retinue.server.api.operations import Operation
from retinue.server.directory import uniqueness
from tests.api.test_events import CHANGES
from tests.api.world import Answer, Caller, World


def _refused(world: World, caller: Caller) -> list[dict[str, Any]]:
    items = world.owner.get(f"/v1/audit-events?type=change.refused&actor={caller.id}").json["items"]
    return [{**event["after"], **event["subject"], "request": event["request_id"]} for event in items]


@pytest.mark.parametrize(
    "each", [each for each in CHANGES if isinstance(each.needs, tuple)], ids=lambda each: each.name
)
def test_a_change_refused_for_a_missing_right_is_one_event(world: World, each: Operation) -> None:
    """
    Whoever may not do it leaves one event that names the operation, the caller and the permission.
    """
    caller = world.caller()
    answer = _nowhere(caller, each)

    assert isinstance(each.needs, tuple)
    said = {"code": "permission_missing", "kind": "operation", "id": each.name, "name": each.name}
    said |= {"request": answer.headers["retinue-request-id"]}
    [event] = _refused(world, caller)
    assert 403 == answer.status
    assert event.pop("required")[0] in each.needs
    assert said == {name: value for name, value in event.items() if name != "object"}


@pytest.mark.parametrize("each", [each for each in CHANGES if each.parameters], ids=lambda each: each.name)
def test_a_change_of_what_does_not_exist_here_is_one_event(world: World, each: Operation) -> None:
    """
    Trying ids that do not exist in the own organization is seen, with the ids that were tried.
    """
    caller = (
        world.user(operator=True)[1]
        if {"node_id", "organization_id", "epoch"} & {*each.parameters}
        else world.owner
    )
    answer = _nowhere(caller, each)

    [event] = _refused(world, caller)
    assert (404, "not_found", each.name) == (answer.status, event["code"], event["id"])
    assert event["object"].startswith("x_0000000000000000")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (409, {"name": "etl", "purpose": "x"}),
        (403, {"name": "b", "purpose": "x", "roles": ["owner"], "justification": "x"}),
        (422, {"name": "b", "purpose": "x", "roles": ["administrator"]}),
        (422, {"name": "b", "purpose": "x", "roles": ["pilot"], "justification": "x"}),
    ],
)
def test_a_change_refused_by_a_rule_is_one_event(world: World, status: int, body: dict[str, Any]) -> None:
    """
    A state, a limit, a ban, a justification that is missing: each refusal is one event.
    """
    world.account("etl")
    answer = world.owner.post("/v1/service-accounts", body | {"owners": [world.owner.id]})

    [event] = _refused(world, world.owner)
    assert (status, answer.code, "create_service_account") == (answer.status, event["code"], event["id"])


def test_a_name_lost_in_a_race_is_refused_like_any_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Whoever looked before the other had committed is refused by the database: 409 and one event, nothing made.
    """
    monkeypatch.setattr(uniqueness, "check_free", lambda *_, **__: None)
    world.account("etl")
    body = {"name": "etl", "purpose": "x", "owners": [world.owner.id]}
    answer = world.owner.post("/v1/service-accounts", body)

    [event] = _refused(world, world.owner)
    assert (409, "duplicate_name", "duplicate_name") == (answer.status, answer.code, event["code"])
    assert 1 == len(world.owner.get("/v1/service-accounts?handle=etl").json["items"])


def test_what_is_only_badly_written_is_no_event(world: World) -> None:
    """
    A body that states no change that could be made says nothing of anybody, so the log stays free of it.
    """
    for body in ({}, {"name": 1}, {"name": "a", "rocket": True}, {"name": "\u0000"}):
        assert 400 == world.owner.post("/v1/service-accounts", body).status

    assert [] == _refused(world, world.owner)


def _nowhere(caller: Caller, each: Operation) -> Answer:
    """Call an operation with ids that exist nowhere, and a body that is right."""
    path = re.sub(r"{\w+}", "x_0000000000000000", f"/v1{each.path}")
    body = {
        **{each: {"name": "k"} for each in ("rename_key", "rename_ingest_token", "rename_my_token")},
        **{
            each: {"restrictions": {}}
            for each in ("restrict_key", "restrict_ingest_token", "restrict_my_token")
        },
        **{f"compromise_{each}": {"confirm": 0} for each in ("key", "account", "user")},
        **{f"{each}_group": {"members": []} for each in ("add_to", "remove_from")},
        **{f"{each}_team": {"members": []} for each in ("add_to", "remove_from")},
        "clone_role": {"name": "c"},
        "extend_rotation": {"by": "1h"},
        "convert_token": {"name": "c", "purpose": "x"},
        "create_grant": {"permission": "report:read"},
        "duplicate_service_account": {"name": "c"},
        "reassign_accounts": {"to": "x"},
        "invite_administrator": {"email": "a@x.example", "name": "A"},
        "decide_review_item": {"decision": "keep"},
        "accept_finding": {"reason": "x", "until": (timezone.now() + timedelta(days=9)).isoformat()},
    }
    return caller.call(each.method, path, body.get(each.name, {}) if each.body is not None else None)
