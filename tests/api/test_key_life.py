"""The life of a key as the policy wants it: expire, restrict, regenerate, revoke, restore, delete."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from retinue.server.credentials.queries import Credential
from retinue.token import parse
from tests.api.lists import put_back
from tests.api.policies import set_policy
from tests.api.world import Answer, Caller, World


def key_of(world: World, name: str = "k1") -> tuple[str, Caller]:
    """A new key of a new account: its path, and the calls of its holder."""
    account = world.account(f"of-{name}")
    key, token = world.key(account, name)
    return f"/v1/keys/{key.id}", Caller(token, account)


def holder(answer: Answer) -> Caller:
    """The calls of whoever got this answer with a token."""
    token = parse(answer.json["token"])
    assert token is not None
    return Caller(token)


def in_days(days: float) -> str:
    """An instant so many days from now."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def test_expired_now_is_refused_now(world: World) -> None:
    """
    A key that is expired by hand is refused by the next call, stays visible as expired, and is not expired again
    nor revived.
    """
    path, caller = key_of(world)
    expired = world.owner.post(f"{path}/expire", {"reason": "no use"})
    refused = caller.get("/v1/me")
    again, later = (world.owner.post(f"{path}/expire", {"expires": each}) for each in ("now", "30d"))

    assert (200, "complete") == (expired.status, expired.json["receipt"]["state"])
    assert (401, "credential_expired") == (refused.status, refused.code)
    assert ("active", "expired") == tuple(world.owner.get(path).json[each] for each in ("state", "status"))
    assert [(409, "state_conflict")] * 2 == [(each.status, each.code) for each in (again, later)]


def test_end_moves_within_the_bounds(world: World) -> None:
    """
    A key ends earlier at will, and later only until its longest life, counted from its issue, is over.
    """
    path, _ = key_of(world)
    earlier = world.owner.post(f"{path}/expire", {"expires": "2d"})
    later = world.owner.post(f"{path}/expire", {"expires": "364d"})
    too_late = world.owner.post(f"{path}/expire", {"expires": in_days(366)})
    never = world.owner.post(f"{path}/expire", {"expires": "never"})

    assert [200, 200, 400, 400] == [each.status for each in (earlier, later, too_late, never)]
    assert earlier.json["expiry"]["at"] < later.json["expiry"]["at"] == later.json["key"]["expires_at"]
    assert ["body.expires", "body.expires"] == [too_late.field, never.field]
    assert "365d" in too_late.json["detail"]
    assert ("receipt" in earlier.json, "receipt" in later.json) == (True, False)


@pytest.mark.parametrize(
    ("environment", "asked", "days", "because"),
    [
        ("testing", None, 30, "environment"),
        ("testing", "7d", 7, "requested"),
        ("testing", "90d", 30, "environment"),
        ("production", None, 90, "default"),
        ("production", "500d", 365, "environment"),
        ("elsewhere", "500d", 365, "maximum"),
        ("elsewhere", None, 90, "default"),
    ],
)
def test_expiry_follows_the_environment(
    world: World, environment: str, asked: str | None, days: int, because: str
) -> None:
    """
    The shortest of what is asked, the maximum, and the maximum of the account's environment holds, and the answer
    says which.
    """
    account = world.account()
    world.owner.patch(f"/v1/service-accounts/{account.id}", {"environment": environment})
    answer = world.owner.post(f"/v1/service-accounts/{account.id}/keys", {"name": "k", "expires": asked})

    lives = datetime.fromisoformat(answer.json["expiry"]["at"]) - datetime.fromisoformat(
        answer.json["key"]["issued_at"]
    )
    assert (timedelta(days=days), because) == (lives, answer.json["expiry"]["because"])


def test_never_ends_where_the_policy_lets_it(world: World) -> None:
    """
    Where no expiry is required a key lives for ever by default, whatever the maximum; not in an environment that
    has one of its own.
    """
    set_policy(world, expiry__required=False, expiry__default_days="never")
    account = world.account()
    path = f"/v1/service-accounts/{account.id}"
    by_default = world.owner.post(f"{path}/keys", {"name": "a"})
    asked = world.owner.post(f"{path}/keys", {"name": "b", "expires": "never"})
    world.owner.patch(path, {"environment": "testing"})
    bound = world.owner.post(f"{path}/keys", {"name": "c"})
    refused = world.owner.post(f"{path}/keys", {"name": "d", "expires": "never"})

    assert [None, None] == [each.json["expiry"]["at"] for each in (by_default, asked)]
    assert ("environment", 400, "body.expires") == (
        bound.json["expiry"]["because"], refused.status, refused.field,
    )  # fmt: skip


def test_rotate_by_is_the_earlier_of_two(world: World) -> None:
    """
    A key is due for rotation a number of days after its issue, or some days before its end, whichever comes first.
    """
    set_policy(world, rotation__every_days=10, rotation__lead_days=5)
    path = f"/v1/service-accounts/{world.account().id}/keys"
    keys = [world.owner.post(path, {"name": each, "expires": each}).json["key"] for each in ("90d", "12d")]

    due = [
        (datetime.fromisoformat(key["rotate_by"]) - datetime.fromisoformat(key["issued_at"])).days
        for key in keys
    ]
    assert [10, 8] == due


def test_restore_brings_back_what_was_revoked(world: World) -> None:
    """
    A revoked key is restored within the hours of the policy and works again, until its old end.
    """
    path, caller = key_of(world)
    before = world.owner.get(path).json
    world.owner.post(f"{path}/revoke")
    refused = caller.get("/v1/me")
    restored = world.owner.post(f"{path}/restore", {"reason": "a mistake"})

    assert (401, 200, 200) == (refused.status, restored.status, caller.get("/v1/me").status)
    assert ("active", None, None, before["expires_at"]) == tuple(
        restored.json[each] for each in ("state", "reason", "revoked_at", "expires_at")
    )
    assert restored.json["restored_at"] is not None


@pytest.mark.parametrize(
    ("hours", "ago", "status"), [(24, 23, 200), (24, 25, 409), (0, 0, 409), (None, 24 * 365, 200)]
)
def test_restore_has_its_window(world: World, hours: int | None, ago: int, status: int) -> None:
    """
    The window is the policy's: some hours, never (0), or always (null).
    """
    set_policy(world, revoke__restore_hours=hours)
    path, _ = key_of(world)
    world.owner.post(f"{path}/revoke")
    put_back(Credential, path.rpartition("/")[2], revoked_at=datetime.now(UTC) - timedelta(hours=ago))

    assert status == world.owner.post(f"{path}/restore").status


def test_some_ends_are_final(world: World) -> None:
    """
    What was compromised, superseded by its successor, or ended with its account is never restored.
    """
    set_policy(world, revoke__restore_hours=None)
    leaked, _ = key_of(world, "leaked")
    world.owner.post(f"{leaked}/revoke", {"reason": "compromised"})
    old, _ = key_of(world, "old")
    world.owner.post(f"{old}/rotate", {"overlap": "0s"})
    orphan, caller = key_of(world, "orphan")
    revoked, _ = world.key(world.account("both"), "first")
    account = f"/v1/service-accounts/{revoked.principal_id}"
    world.owner.post(f"/v1/keys/{revoked.id}/revoke")
    for each in (f"/v1/service-accounts/{caller.id}", account):
        world.owner.delete(each)
        world.owner.post(f"{each}/restore")
        world.owner.post(f"{each}/enable")
    answers = [
        world.owner.post(f"{each}/restore") for each in (leaked, old, orphan, f"/v1/keys/{revoked.id}")
    ]

    assert [(409, "state_conflict")] * 4 == [(each.status, each.code) for each in answers]
    assert ["compromised", "superseded", "account_deleted", "account_deleted"] == [
        world.owner.get(each).json["reason"] for each in (leaked, old, orphan, f"/v1/keys/{revoked.id}")
    ]


def test_enabling_an_account_revives_no_key(world: World) -> None:
    """
    INV4: an account is a gate. Disabled, its keys are refused; enabled, those work that were not ended themselves.
    """
    account = world.account()
    tokens = {name: world.key(account, name) for name in ("live", "revoked", "expired")}
    path = f"/v1/service-accounts/{account.id}"
    world.owner.post(f"{path}/disable")
    world.owner.post(f"/v1/keys/{tokens['revoked'][0].id}/revoke")
    world.owner.post(f"/v1/keys/{tokens['expired'][0].id}/expire")
    shut = [Caller(token).get("/v1/me").code for _, token in tokens.values()]
    world.owner.post(f"{path}/enable")
    after = {name: Caller(token).get("/v1/me") for name, (_, token) in tokens.items()}

    assert ["account_disabled"] * 3 == shut
    assert {"live": 200, "revoked": 401, "expired": 401} == {
        name: each.status for name, each in after.items()
    }
    assert ("credential_revoked", "credential_expired") == (after["revoked"].code, after["expired"].code)


def test_restore_asks_for_room_and_name_again(world: World) -> None:
    """
    Limit and name are decided again when a key comes back; a refusal leaves it revoked.
    """
    set_policy(world, credentials__max_usable=1)
    account = world.account()
    first = f"/v1/keys/{world.key(account, 'a')[0].id}"
    world.owner.post(f"{first}/revoke")
    second = world.owner.post(f"/v1/service-accounts/{account.id}/keys", {"name": "a"}).json["key"]
    full = world.owner.post(f"{first}/restore")
    set_policy(world, credentials__max_usable=None)
    taken = world.owner.post(f"{first}/restore")
    world.owner.patch(f"/v1/keys/{second['id']}", {"name": "b"})

    assert [("too_many_keys", 409), ("duplicate_name", 409)] == [(e.code, e.status) for e in (full, taken)]
    assert second["id"] in full.json["detail"]
    assert 200 == world.owner.post(f"{first}/restore").status


def test_delete_revokes_first_where_the_policy_says_so(world: World) -> None:
    """
    Without ``revoke.delete_requires_revoked`` a key in use is revoked and deleted in one step.
    """
    set_policy(world, revoke__delete_requires_revoked=False)
    path, caller = key_of(world)
    deleted = world.owner.delete(path)

    assert (200, "deleted", "no_longer_needed") == (
        deleted.status, deleted.json["state"], deleted.json["reason"],
    )  # fmt: skip
    assert "credential_revoked" == caller.get("/v1/me").code


def test_names_are_free_where_the_policy_says_so(world: World) -> None:
    """
    Without required and unique names a key gets one, two share one, and the policy may fix them.
    """
    name = {"required": False, "unique": "none", "renameable": False}
    set_policy(world, credentials__name=name)
    path = f"/v1/service-accounts/{world.account().id}/keys"
    unnamed, one, two = (world.owner.post(path, body) for body in ({}, {"name": "same"}, {"name": "same"}))
    renamed = world.owner.patch(f"/v1/keys/{one.json['key']['id']}", {"name": "other"})

    assert [201, 201, 201] == [each.status for each in (unnamed, one, two)]
    assert unnamed.json["key"]["name"].startswith("key-")
    assert (409, "state_conflict") == (renamed.status, renamed.code)


def test_mode_is_the_policys(world: World) -> None:
    """
    A way to replace a secret that the policy does not have is refused.
    """
    set_policy(world, rotation__modes=["rotate"])
    path, _ = key_of(world)

    assert (409, 201) == (
        world.owner.post(f"{path}/regenerate").status, world.owner.post(f"{path}/rotate").status,
    )  # fmt: skip
