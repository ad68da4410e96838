"""Replacing the secret of a key: overlaps, lost answers, digests that the holder makes."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from retinue.server import housekeeping
from retinue.server.credentials.queries import Credential
from retinue.server.traffic import sweeping
from retinue.server.traffic.actions import Entry, ingest
from retinue.token import Kind, Token, mint
from tests.api.lists import put_back
from tests.api.policies import set_policy
from tests.api.test_key_life import holder, key_of
from tests.api.world import Answer, Caller, World


def use(world: World, credential: str, account: str) -> None:
    """Let a node say that a credential was allowed just now."""
    used = Entry(
        at_ms=time.time_ns() // 1_000_000 + 1,
        organization=world.organization.id,
        account=account,
        account_name="etl",
        account_kind="service_account",
        credential_id=credential,
        allowed=True,
    )
    ingest("local", secrets.token_hex(8), 0, [used])


def statuses(*callers: Caller) -> list[int]:
    """What each caller is answered."""
    return [each.get("/v1/me").status for each in callers]


def test_regenerate_overlaps_where_the_policy_says_so(world: World) -> None:
    """
    The old token works beside the new one until the overlap is over, and the answer says until when.
    """
    set_policy(world, rotation__regenerate_overlap_seconds=3600)
    path, old = key_of(world)
    answer = world.owner.post(f"{path}/regenerate")
    both = statuses(old, holder(answer))
    until = answer.json["key"]["previous_until"]
    previous = Credential.objects.get(id=path.rpartition("/")[2]).previous
    passed = [
        {**each, "valid_until": (datetime.now(UTC) - timedelta(seconds=1)).isoformat()} for each in previous
    ]
    put_back(Credential, path.rpartition("/")[2], previous=passed)

    assert ([200, 200], [401, 200]) == (both, statuses(old, holder(answer)))
    assert abs(datetime.fromisoformat(until) - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=1)


def test_regenerate_may_shorten_its_overlap(world: World) -> None:
    """
    A call shortens the overlap and never lengthens it; a compromised token ends at once.
    """
    set_policy(world, rotation__regenerate_overlap_seconds=3600)
    path, first = key_of(world)
    longer = world.owner.post(f"{path}/regenerate", {"overlap": "2h"})
    kept = world.owner.post(f"{path}/regenerate", {"compromised": True, "overlap": "1h"})
    second = world.owner.post(f"{path}/regenerate", {"overlap": "0s"})
    third = world.owner.post(f"{path}/regenerate", {})
    fourth = world.owner.post(f"{path}/regenerate", {"compromised": True})

    assert [(400, "body.overlap")] * 2 == [(each.status, each.field) for each in (longer, kept)]
    assert [401, 401, 401, 200] == statuses(first, holder(second), holder(third), holder(fourth))


def test_overlap_never_outlives_the_key(world: World) -> None:
    """
    A replaced secret ends with its key at the latest.
    """
    set_policy(world, rotation__regenerate_overlap_seconds=3600)
    path, _ = key_of(world)
    end = (datetime.now(UTC) + timedelta(minutes=10)).isoformat()
    world.owner.post(f"{path}/expire", {"expires": end})
    regenerated = world.owner.post(f"{path}/regenerate").json["key"]
    world.owner.post(f"{path}/rotate", {"name": "next"})
    rotated = world.owner.get(path).json

    assert regenerated["expires_at"] == regenerated["previous_until"] == rotated["retires_at"]


def test_second_regenerate_locks_nobody_out(world: World) -> None:
    """
    Two regenerates in one overlap: whoever has any of the three secrets is still let in.
    """
    set_policy(world, rotation__regenerate_overlap_seconds=3600)
    path, first = key_of(world)
    second, third = world.owner.post(f"{path}/regenerate"), world.owner.post(f"{path}/regenerate")

    assert [200, 200, 200] == statuses(first, holder(second), holder(third))


def test_lost_answer_of_a_regenerate_is_repeated_with_its_receipt(world: World) -> None:
    """
    A repeated regenerate gives a new secret, and the receipt that says where the old ones are refused.
    """
    path, old = key_of(world)
    lost, again = (world.owner.post(f"{path}/regenerate", {}, {"Idempotency-Key": "k"}) for _ in range(2))

    assert [401, 401, 200] == statuses(old, holder(lost), holder(again))
    assert [200, 200] == [each.status for each in (lost, again)]
    assert ["complete"] * 2 == [each.json["receipt"]["state"] for each in (lost, again)]
    assert int(again.headers["retinue-revision"]) == again.json["receipt"]["revision"]


def test_old_token_in_use_does_not_hinder_a_repetition(world: World) -> None:
    """
    In the overlap after a regenerate the old token is used, and the answer was lost: its repetition gives another
    secret, and ends none that may be in use.
    """
    set_policy(world, rotation__regenerate_overlap_seconds=3600)
    path, old = key_of(world)
    lost = world.owner.post(f"{path}/regenerate", {}, {"Idempotency-Key": "k"})
    use(world, path.rpartition("/")[2], old.id)
    again = world.owner.post(f"{path}/regenerate", {}, {"Idempotency-Key": "k"})

    assert [200, 200, 200] == statuses(old, holder(lost), holder(again))


def test_lost_answer_of_a_rotation_is_repeated(world: World) -> None:
    """
    A repeated rotation makes no second successor: the unused one gets another secret, and the old key works on.
    """
    path, old = key_of(world)
    lost, again = (world.owner.post(f"{path}/rotate", {}, {"Idempotency-Key": "k"}) for _ in range(2))

    assert lost.json["key"]["id"] == again.json["key"]["id"]
    assert [200, 401, 200] == statuses(old, holder(lost), holder(again))


def test_compromised_key_is_rotated_without_overlap(world: World) -> None:
    """
    A rotation for a compromised key ends it at once and for good.
    """
    path, old = key_of(world)
    successor = world.owner.post(f"{path}/rotate", {"compromised": True})
    ended = world.owner.get(path).json

    assert ("revoked", "compromised", [401, 200]) == (
        ended["state"], ended["reason"], statuses(old, holder(successor)),
    )  # fmt: skip
    assert 409 == world.owner.post(f"{path}/restore").status


def test_rotation_is_finished_by_hand(world: World) -> None:
    """
    The overlap ends when somebody says so, whichever of the two keys is named; without a rotation it is refused.
    """
    for named in ("old", "new"):
        path, old = key_of(world, named)
        new = world.owner.post(f"{path}/rotate")
        one = path if named == "old" else f"/v1/keys/{new.json['key']['id']}"
        finished = world.owner.post(f"{one}/finish-rotation")

        assert (200, path.rpartition("/")[2], "superseded") == (
            finished.status, finished.json["id"], finished.json["reason"],
        )  # fmt: skip
        assert [401, 200] == statuses(old, holder(new))
    alone, _ = key_of(world, "alone")
    assert 409 == world.owner.post(f"{alone}/finish-rotation").status


def test_predecessor_retires_when_its_successor_is_first_used(world: World) -> None:
    """
    With ``rotation.retire_on: first_use`` the old key ends with the first use of the new one that a node ships,
    not before, and not with uses of its own.
    """
    set_policy(world, rotation__retire_on="first_use")
    path, old = key_of(world)
    new = world.owner.post(f"{path}/rotate").json["key"]
    use(world, path.rpartition("/")[2], old.id)
    before = world.owner.get(path).json
    use(world, new["id"], old.id)
    after = world.owner.get(path).json

    assert ("retiring", "first_use") == (before["status"], before["retires_on"])
    assert ("revoked", "superseded") == (after["state"], after["reason"])
    assert "credential_revoked" == old.get("/v1/me").code


def test_deadline_stays_where_the_policy_waits_for_it(world: World) -> None:
    """
    Otherwise the old key lives until its deadline, however much the new one is used.
    """
    path, old = key_of(world)
    new = world.owner.post(f"{path}/rotate").json["key"]
    use(world, new["id"], old.id)

    assert ("retiring", "deadline") == tuple(world.owner.get(path).json[e] for e in ("status", "retires_on"))


def digest_of(token: Token) -> dict[str, str]:
    """What its maker sends of a token."""
    return {"value": hashlib.sha256(token.as_bytes()).hexdigest(), "key_id": token.kid}


def issue_held(world: World, account: str, token: Token, **more: object) -> Answer:
    """Issue a key from the digest of ``token``."""
    return world.owner.post(
        f"/v1/service-accounts/{account}/keys", {"name": "held", "digest": digest_of(token), **more}
    )


def test_token_made_by_its_holder_is_never_sent(world: World) -> None:
    """
    A key is issued from a digest alone: the token works, and the answer, also a repeated one, holds none.
    """
    account = world.account().id
    token = mint(Kind.API_KEY)
    body = {"name": "held", "digest": digest_of(token)}
    path = f"/v1/service-accounts/{account}/keys"
    first, again = (world.owner.post(path, body, {"Idempotency-Key": "k"}) for _ in range(2))

    assert (201, None, f"key_{token.kid}") == (first.status, first.json["token"], first.json["key"]["id"])
    assert (201, first.json) == (again.status, again.json)
    assert [200, 401] == statuses(Caller(token), Caller(mint(Kind.API_KEY, kid=token.kid)))


def test_held_tokens_are_rotated_and_regenerated_by_digest(world: World) -> None:
    """
    Whoever keeps tokens from the server replaces them in the same way.
    """
    account = world.account().id
    first = mint(Kind.API_KEY)
    issue_held(world, account, first)
    second, third = mint(Kind.API_KEY, kid=first.kid), mint(Kind.API_KEY)
    regenerated = world.owner.post(f"/v1/keys/key_{first.kid}/regenerate", {"digest": digest_of(second)})
    rotated = world.owner.post(f"/v1/keys/key_{first.kid}/rotate", {"digest": digest_of(third), "name": "n"})
    other = world.owner.post(f"/v1/keys/key_{third.kid}/regenerate", {"digest": digest_of(first)})

    assert [None, None] == [each.json["token"] for each in (regenerated, rotated)]
    assert [401, 200, 200] == statuses(Caller(first), Caller(second), Caller(third))
    assert (400, "body.digest.key_id") == (other.status, other.field)


def test_bad_digests_are_named(world: World) -> None:
    """
    What is no digest, no key id, or a key id that is taken, is refused with its field.
    """
    account = world.account().id
    token, example = mint(Kind.API_KEY), {"key_id": "0EXAMPLE0KID"}
    issue_held(world, account, token)
    taken = issue_held(world, account, token, name="other")
    path = f"/v1/service-accounts/{account}/keys"
    bad = [
        world.owner.post(path, {"name": "x", "digest": {**digest_of(mint(Kind.API_KEY)), **change}})
        for change in (
            {"value": "00"},
            {"value": "G" * 64},
            {"key_id": "short"},
            example,
            {"algorithm": "md5"},
        )
    ]

    assert (409, "duplicate_name", "body.digest.key_id") == (taken.status, taken.code, taken.field)
    assert [400] * 5 == [each.status for each in bad]
    assert ["value", "value", "key_id", "key_id", "algorithm"] == [
        (each.field or "").removeprefix("body.digest.") for each in bad
    ]


def test_first_use_is_not_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A process that was killed after it had stored the first use leaves the old key; housekeeping retires it.
    """
    set_policy(world, rotation__retire_on="first_use")
    path, old = key_of(world)
    new = world.owner.post(f"{path}/rotate").json["key"]
    monkeypatch.setattr(sweeping, "after_batch", lambda now: None)
    use(world, new["id"], old.id)
    before = world.owner.get(path).json["status"]
    housekeeping.sweep(datetime.now(UTC), threading.Event())

    assert ("retiring", "revoked") == (before, world.owner.get(path).json["status"])
