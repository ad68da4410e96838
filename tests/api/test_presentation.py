"""What the policy says that clients show: confirmations, words, places, lifetimes, warnings."""

from __future__ import annotations

from typing import Any

import pytest

from retinue.server.traffic import recorder
from tests.api.policies import set_environment, set_policy
from tests.api.world import World
from tests.api.wrongs import CASES


def _presented(world: World, environment: str = "") -> Any:
    query = f"?environment={environment}" if environment else ""
    return world.user()[1].get(f"/v1/presentation{query}").json


def test_disabling_is_confirmed_as_the_organization_wants(world: World) -> None:
    """
    Without a policy of its own, and with none, a call is enough; typed asks for the handle, and says how much
    the account is used. The preview tells every client the same.
    """
    used = world.caller("user:read", name="etl")
    path = f"/v1/service-accounts/{used.id}"
    for _ in range(3):
        used.get("/v1/users")
    recorder.store_all()
    asked = {}
    for mode in ("none", "dialog", "typed"):
        set_policy(world, accounts__disable_confirm=mode)
        preview = world.owner.get(f"{path}/disable").json
        asked[mode] = preview["confirm"], preview["phrase"], preview["uses_24h"], preview["keys_usable"]
    bare, wrong = (world.owner.post(f"{path}/disable", body) for body in ({}, {"confirm": "ETL"}))
    typed = world.owner.post(f"{path}/disable", {"confirm": "etl"})
    world.owner.post(f"{path}/enable")
    set_policy(world, accounts__disable_confirm="dialog")

    expected = {
        mode: (mode, "etl" if mode == "typed" else None, 3, 1) for mode in ("none", "dialog", "typed")
    }
    assert expected == asked
    assert [(409, "confirmation_required", "body.confirm")] * 2 == [
        (each.status, each.code, each.field) for each in (bare, wrong)
    ]
    assert "used 3 times in the last 24 hours" in bare.json["detail"]
    assert (200, "disabled") == (typed.status, typed.json["state"])
    assert 200 == world.owner.post(f"{path}/disable").status


def test_disabling_many_is_confirmed_by_their_number(world: World) -> None:
    """
    Where the handle of one is typed, of many their number is; a preview asks for nothing.
    """
    body = {"accounts": [world.account(name).id for name in ("a", "b")]}
    set_policy(world, accounts__disable_confirm="typed")
    preview = world.owner.post("/v1/bulk/service-accounts/disable", {**body, "preview": True})
    bare = world.owner.post("/v1/bulk/service-accounts/disable", body)
    meant = world.owner.post("/v1/bulk/service-accounts/disable", {**body, "expected": 2})

    assert (200, 2) == (preview.status, preview.json["matched"])
    assert (409, "confirmation_required", "body.expected") == (bare.status, bare.code, bare.field)
    assert (200, 2) == (meant.status, meant.json["done"])


def test_preview_of_an_account_of_others_is_not_found(world: World) -> None:
    """
    Accounts of another organization are not told apart from none.
    """
    other = World.create().account("theirs")

    assert 404 == world.owner.get(f"/v1/service-accounts/{other.id}/disable").status


@pytest.mark.parametrize(
    ("keys", "choices", "usual", "most"),
    [
        ({}, [30, 60, 90, 180, 365], 90, 365),
        ({"expiry__choices": [7, 14]}, [7, 14], 90, 365),
        ({"expiry__choices": [60, 7]}, [7, 60], 90, 365),
        (
            {
                "expiry__required": False,
                "expiry__default_days": "never",
                "expiry__choices": [90, "never"],
                "expiry__max_days": None,
            },
            [90, "never"],
            "never",
            None,
        ),
    ],
)
def test_forms_offer_the_lifetimes_of_the_policy(
    world: World, keys: dict[str, Any], choices: list[Any], usual: Any, most: int | None
) -> None:
    """
    The choices are offered, the shortest first, with the usual one and the maximum.
    """
    set_policy(world, **keys)

    assert {"choices": choices, "default": usual, "most": most} == _presented(world)["keys"]["lifetimes"]


def test_lifetimes_that_are_too_long_are_not_offered(world: World) -> None:
    """
    In an environment with a shorter maximum, and for personal access tokens, fewer are left; an environment
    may have choices of its own.
    """
    set_environment(world, "staging", expiry__choices=[10, 20])
    by_kind = _presented(world, "development")

    assert [30, 60, 90] == by_kind["keys"]["lifetimes"]["choices"]
    assert [30, 60, 90] == by_kind["personal_tokens"]["lifetimes"]["choices"]
    assert [10, 20] == _presented(world, "staging")["keys"]["lifetimes"]["choices"]
    assert 30 == _presented(world, "testing")["keys"]["lifetimes"]["default"]


@pytest.mark.parametrize(
    ("preset", "before", "after"),
    [("qualytics", [30, 60, 90, 365, "never"], [30]), ("wavefront", ["never"], [20])],
)
def test_choices_of_a_preset_give_way_to_what_is_required(
    world: World, preset: str, before: list[Any], after: list[Any]
) -> None:
    """
    A preset that offers never does not stand in the way of an organization that wants every key to end; what is
    too long is not offered any more, and where nothing is left, the usual lifetime is.
    """
    world.owner.patch("/v1/policy", {"preset": preset, "accept": 9})
    lax = _presented(world)["keys"]["lifetimes"]["choices"]
    set_policy(world, expiry__required=True, expiry__max_days=40, expiry__default_days=20)

    assert (before, after) == (lax, _presented(world)["keys"]["lifetimes"]["choices"])


def test_everybody_reads_what_clients_show(world: World) -> None:
    """
    Without any permission: words, places, what a form asks for, and how long a sign-in is enough.
    """
    set_policy(
        world,
        terminology="wavefront",
        accounts__list_with_users="badged",
        accounts__initial_credential="none",
        expiry__warn_days=[2, 9],
        elevated__step_up_minutes=5,
    )
    shown = _presented(world)

    assert ("wavefront", "deactivate") == (
        shown["terminology"]["pack"],
        shown["terminology"]["words"]["disable"]["one"],
    )
    assert ("badged", "none", ["name", "owner", "purpose"]) == tuple(
        shown["accounts"][name] for name in ("list_with_users", "initial_credential", "required")
    )
    assert (5, [9, 2]) == (shown["step_up_minutes"], shown["warn_days"])


@pytest.mark.parametrize("warns", [True, False])
def test_personal_tokens_are_warned_of_where_the_policy_says_so(world: World, warns: bool) -> None:
    """
    The warning stands in what forms show and in the answer that issues one, and use by a program is a finding;
    switched off, none of them is there.
    """
    set_policy(world, pat__production_warning=warns)
    subject = CASES["pat_in_production"](world)
    found = world.owner.get("/v1/findings?kind=pat_in_production").json["items"]
    issued = world.owner.post("/v1/me/tokens", {"name": "ci"}).json

    assert [subject] * warns == [each["subject"]["id"] for each in found]
    assert warns == ("service account" in (issued["warning"] or ""))
    assert issued["warning"] == _presented(world)["personal_tokens"]["warning"]
    assert (
        "warning"
        not in world.owner.post(f"/v1/service-accounts/{world.account().id}/keys", {"name": "k"}).json
    )


def test_callers_are_warned_from_the_first_of_the_days_on(world: World) -> None:
    """
    A key that ends in 20 days is a finding once it is used, where the first warning comes 30 days before, and
    none where it comes 5 days before. The list of keys says the same.
    """
    account = world.account("etl", permissions=("user:read",))
    made = world.owner.post(f"/v1/service-accounts/{account.id}/keys", {"name": "k", "expires": "20d"}).json
    caller = world.caller()
    caller.call("GET", "/v1/users", headers={"authorization": f"Bearer {made['token']}"})
    recorder.store_all()
    told = {}
    for days in ([30, 7], [5], []):
        set_policy(world, expiry__warn_days=days)
        found = world.owner.get("/v1/findings?kind=expires_soon").json["items"]
        status = world.owner.get(f"/v1/keys/{made['key']['id']}").json["status"]
        told[max(days, default=0)] = len(found), status

    assert {30: (1, "expiring"), 5: (0, "active"), 0: (0, "active")} == told
