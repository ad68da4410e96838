"""``accounts.approval: four_eyes``: a new account is disabled until a second principal approves it."""

from __future__ import annotations

import pytest

from tests.api.access_cases import second_owner, waiting_account
from tests.api.policies import set_policy
from tests.api.world import Caller, World

A = "/v1/service-accounts"


def _key(world: World, path: str) -> str:
    return str(world.owner.post(f"{path}/keys", {"name": "k1"}).json["token"])


def _calls(token: str) -> tuple[int, str]:
    answer = Caller(None).call("GET", "/v1/me", headers={"authorization": f"Bearer {token}"})
    return answer.status, answer.json.get("code", "")


def test_a_new_account_waits_for_a_second_principal(world: World) -> None:
    """
    Its key is refused until somebody else approves: not who created it, however many permissions that is.
    """
    other = second_owner(world)
    path = waiting_account(world)
    token = _key(world, path)
    made, before = world.owner.get(path).json, _calls(token)
    own = world.owner.post(f"{path}/approve")
    approved = other.post(f"{path}/approve")
    [event] = world.owner.get("/v1/audit-events?type=account.approved").json["items"]

    assert ("disabled", "disabled", "waits for approval", True) == (
        made["state"], made["status"], made["status_reason"], made["awaits_approval"],
    )  # fmt: skip
    assert (401, "account_disabled") == before
    assert (409, "approval_required") == (own.status, own.code)
    assert (200, "enabled", "active", None, False) == (
        approved.status, approved.json["state"], approved.json["status"], approved.json["status_reason"],
        approved.json["awaits_approval"],
    )  # fmt: skip
    assert 200 == _calls(token)[0]
    assert (other.id, {"state": "disabled"}) == (event["actor"]["id"], event["before"])


def test_what_waits_is_not_enabled_another_way(world: World) -> None:
    """
    Enabling is refused to everybody, one or many, after a deletion and its restoration, and when the policy
    asks for no approval any more.
    """
    other = second_owner(world)
    path = waiting_account(world)
    answers = [caller.post(f"{path}/enable") for caller in (world.owner, other)]
    many = other.post("/v1/bulk/service-accounts/enable", {"accounts": ["etl"]}).json
    world.owner.delete(path)
    restored = world.owner.post(f"{path}/restore").json
    again = other.post(f"{path}/enable")

    assert [(409, "approval_required")] * 3 == [(each.status, each.code) for each in (*answers, again)]
    assert (0, 1) == (many["done"], many["refused"])
    assert ("disabled", "waits for approval", True) == (
        restored["state"], restored["status_reason"], restored["awaits_approval"],
    )  # fmt: skip
    assert "enabled" == other.post(f"{path}/approve").json["state"]


def test_only_what_waits_is_approved(world: World) -> None:
    """
    An account that was approved, never waited, was disabled by somebody, or is deleted, is not approved.
    """
    other = second_owner(world)
    approved, deleted = waiting_account(world), waiting_account(world, "gone")
    other.post(f"{approved}/approve")
    world.owner.delete(deleted)
    stopped = f"{A}/{world.account('stopped').id}"
    world.owner.post(f"{stopped}/disable")

    for path in (approved, deleted, stopped):
        answer = other.post(f"{path}/approve")
        assert (409, "state_conflict") == (answer.status, answer.code), path
    assert "disabled" == world.owner.get(stopped).json["state"]


def test_duplicates_wait_too_and_are_found(world: World) -> None:
    """
    However an account comes to be it waits, and the list can be narrowed to what waits.
    """
    source = f"{A}/{world.account('source').id}"
    set_policy(world, accounts__approval="four_eyes")
    copy = world.owner.post(f"{source}/duplicate", {"name": "copy"}).json
    waiting, others = (
        [item["handle"] for item in world.owner.get(f"{A}?awaits_approval={each}").json["items"]]
        for each in ("true", "false")
    )

    assert ("disabled", ["copy"], ["source"]) == (copy["state"], waiting, others)


@pytest.mark.parametrize("keys", [("service_account:read", "service_account:enable"), ()])
def test_approving_needs_its_permission(world: World, keys: tuple[str, ...]) -> None:
    """
    Who may enable accounts may not for that approve one; a service account with the permission may.
    """
    weak = world.caller(*keys)
    strong = world.caller("service_account:approve")
    path = f"{waiting_account(world)}/approve"

    assert (403, "permission_missing") == ((answer := weak.post(path)).status, answer.code)
    assert 200 == strong.post(path).status


def test_a_document_enables_nothing_that_waits(world: World) -> None:
    """
    An account that a document makes waits as any other, and the document can be applied again meanwhile.
    """
    other = second_owner(world)
    set_policy(world, accounts__approval="four_eyes")
    owner = world.owner.get(f"/v1/users/{world.owner.id}").json["email"]
    stated = {"handle": "etl", "name": "ETL", "purpose": "x", "state": "enabled", "owners": [owner]}
    document = {"service_accounts": [stated]}

    def applied() -> tuple[str, str]:
        plan = world.owner.post("/v1/configuration/plan", {"document": document}).json
        body = {"document": document, "digest": plan["digest"]}
        answer = world.owner.post("/v1/configuration/apply", body)
        assert 200 == answer.status, answer.text
        [found] = world.owner.get(f"{A}?handle=etl").json["items"]
        return found["state"], found["id"]

    first, again = applied(), applied()
    other.post(f"{A}/{first[1]}/approve")
    assert ["disabled", "disabled", "enabled"] == [first[0], again[0], applied()[0]]
