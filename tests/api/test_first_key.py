"""``accounts.initial_credential``: the first key comes with its account, or is offered, or not."""

from __future__ import annotations

from tests.api.policies import set_policy
from tests.api.test_key_life import holder
from tests.api.world import JSON, World

ACCOUNTS = "/v1/service-accounts"


def new(world: World, **more: object) -> JSON:
    """A body that creates an account."""
    return {"name": "etl", "purpose": "x", "owners": [world.owner.id], **more}


def test_key_is_issued_if_it_is_asked_for(world: World) -> None:
    """
    An account is created with its first key in one step, by who may issue keys; without asking there is none.
    """
    asked = world.owner.post(ACCOUNTS, new(world, key={"name": "k1", "expires": "10d"}))
    plain = world.owner.post(ACCOUNTS, new(world, name="other"))
    weak = world.caller("service_account:create").post(ACCOUNTS, new(world, name="third", key={"name": "k"}))

    assert (201, "k1", 200) == (asked.status, asked.json["key"]["name"], holder(asked).get("/v1/me").status)
    assert (201, None, None) == (plain.status, plain.json["key"], plain.json["token"])
    assert (403, ["credential:issue"]) == (weak.status, weak.json["required"])


def test_key_comes_with_every_account(world: World) -> None:
    """
    With ``auto`` each new account has its first key, also a copy; a lost answer gives the same key a new secret.
    """
    set_policy(world, accounts__initial_credential="auto")
    first, again = (world.owner.post(ACCOUNTS, new(world), {"Idempotency-Key": "k"}) for _ in range(2))
    copy = world.owner.post(f"{ACCOUNTS}/{first.json['id']}/duplicate", {"name": "copy"})

    assert first.json["key"]["id"] == again.json["key"]["id"]
    assert [401, 200, 200] == [holder(each).get("/v1/me").status for each in (first, again, copy)]
    assert [1, 1] == [each.json["keys"]["usable"] for each in (first, copy)]


def test_key_that_the_policy_does_not_have_is_refused(world: World) -> None:
    """
    With ``none`` no account is created with a key, and nothing is created if one is asked for.
    """
    set_policy(world, accounts__initial_credential="none")
    refused = world.owner.post(ACCOUNTS, new(world, key={"name": "k1"}))

    assert (400, "body.key") == (refused.status, refused.field)
    assert [] == world.owner.get(ACCOUNTS).json["items"]
