"""Keys are narrowed to networks, endpoints, methods and times."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.policies import set_policy
from tests.api.test_key_life import key_of
from tests.api.world import World


def test_restrictions_are_kept_and_copied(world: World) -> None:
    """
    A key is narrowed when it is issued and afterwards; its successor is narrowed as it was. To narrow is to take
    away, to widen is not.
    """
    narrowed = {"networks": ["10.0.0.0/8"], "methods": ["get"]}
    path = f"/v1/service-accounts/{world.account().id}/keys"
    issued = world.owner.post(path, {"name": "a", "restrictions": narrowed}).json["key"]
    one = f"/v1/keys/{issued['id']}"
    times = [{"days": ["mon", "fri"], "start": "08:00", "end": "18:00", "zone": "Europe/Berlin"}]
    less = world.owner.post(f"{one}/restrict", {"restrictions": {**narrowed, "times": times}})
    more = world.owner.post(f"{one}/restrict", {"restrictions": {"networks": ["10.0.0.0/8"]}})
    successor = world.owner.post(f"{one}/rotate", {}).json["key"]

    assert {"networks": ["10.0.0.0/8"], "endpoints": [], "methods": ["GET"], "times": []} == issued[
        "restrictions"
    ]
    assert (times, True, False) == (
        less.json["restrictions"]["times"], "receipt" in less.json, "receipt" in more.json,
    )  # fmt: skip
    assert more.json["restrictions"] == successor["restrictions"]


def test_widening_needs_the_ceiling(world: World) -> None:
    """
    Who holds less than the account may narrow its key, and not widen it.
    """
    account = world.account(permissions=("report:read",))
    key, _ = world.key(account)
    weak = world.caller("credential:restrict")
    path = f"/v1/keys/{key.id}/restrict"
    narrowed = weak.post(path, {"restrictions": {"methods": ["GET"]}})
    widened = weak.post(path, {"restrictions": {}})

    assert (200, 403, "ceiling_exceeded") == (narrowed.status, widened.status, widened.code)


@pytest.mark.parametrize(
    ("restrictions", "field"),
    [
        ({"networks": ["10.0.0.1/8"]}, "networks.0"),
        ({"networks": ["ten"]}, "networks.0"),
        ({"endpoints": ["reports"]}, "endpoints.0"),
        ({"endpoints": ["/a", "/../b"]}, "endpoints.1"),
        ({"methods": ["GET POST"]}, "methods.0"),
        ({"times": [{"days": ["monday"]}]}, "times.0.days"),
        ({"times": [{"start": "25:00"}]}, "times.0.start"),
        ({"times": [{"start": "08:00", "end": "08:00"}]}, "times.0.end"),
        ({"times": [{"zone": "Nowhere/Land"}]}, "times.0.zone"),
        ({"networks": ["10.0.0.0/8"] * 1, "methods": [f"M{chr(65 + n % 26)}{chr(65 + n // 26)}" for n in range(101)]},
         "methods"),
    ],
)  # fmt: skip
def test_bad_restrictions_are_named(world: World, restrictions: dict[str, Any], field: str) -> None:
    """
    A restriction that is none is refused with its place, and nothing is issued.
    """
    path = f"/v1/service-accounts/{world.account().id}/keys"
    answer = world.owner.post(path, {"name": "k", "restrictions": restrictions})

    assert (400, f"body.restrictions.{field}") == (answer.status, answer.field), answer.text
    assert [] == world.owner.get(path).json["items"]


def test_policy_says_how_keys_are_narrowed(world: World) -> None:
    """
    A kind of restriction that the policy does not offer is refused; what stands already may stay.
    """
    path, _ = key_of(world)
    both = {"methods": ["GET"], "networks": ["10.0.0.0/8"]}
    world.owner.post(f"{path}/restrict", {"restrictions": both})
    set_policy(world, credentials__restrictions=["method"])
    kept = world.owner.post(f"{path}/restrict", {"restrictions": {**both, "methods": ["GET", "POST"]}})
    other = world.owner.post(f"{path}/restrict", {"restrictions": {"networks": ["10.1.0.0/16"]}})

    assert (200, 400, "body.restrictions.networks") == (kept.status, other.status, other.field)
