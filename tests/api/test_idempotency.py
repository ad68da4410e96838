"""``Idempotency-Key``: a retry is safe."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from retinue.server.api.models import IdempotencyRecord
from retinue.server.nodes import receipts
from retinue.server.traffic import recorder
from retinue.server.traffic.actions import Entry, ingest
from retinue.token import Kind, mint, parse
from tests.api.world import JSON, Answer, Caller, World

ACCOUNTS = "/v1/service-accounts"


def new(world: World, name: str = "etl") -> JSON:
    """A body that creates an account."""
    return {"name": name, "purpose": "x", "owners": [world.owner.id]}


def test_retry_is_answered_and_happens_once(world: World) -> None:
    """
    The same call with the same key gives the same answer again, and one account.
    """
    key = {"Idempotency-Key": "k-1"}
    first = world.owner.post(ACCOUNTS, new(world), key)
    second = world.owner.post(ACCOUNTS, new(world), key)

    assert (first.status, first.json, first.headers["retinue-revision"]) == (
        second.status, second.json, second.headers["retinue-revision"],
    )  # fmt: skip
    assert ("true", None) == tuple(each.headers.get("idempotency-replayed") for each in (second, first))
    assert 1 == len(world.owner.get(ACCOUNTS).json["items"])


def test_key_for_another_request_is_refused(world: World) -> None:
    """
    A key that was used for one request is refused for another, and that other does not happen.
    """
    key = {"Idempotency-Key": "k-1"}
    world.owner.post(ACCOUNTS, new(world), key)
    other = world.owner.post(ACCOUNTS, new(world, "other"), key)

    assert (422, "idempotency_conflict", "header.Idempotency-Key") == (other.status, other.code, other.field)
    assert 1 == len(world.owner.get(ACCOUNTS).json["items"])


def test_refused_change_may_be_tried_again(world: World) -> None:
    """
    A refusal keeps no record: the same key may be used when the cause is gone.
    """
    key = {"Idempotency-Key": "k-1"}
    account = world.account()
    refused = world.owner.post(f"{ACCOUNTS}/{account.id}/restore", {}, key)
    world.owner.delete(f"{ACCOUNTS}/{account.id}")
    done = world.owner.post(f"{ACCOUNTS}/{account.id}/restore", {}, key)

    assert (409, 200) == (refused.status, done.status)


def test_lost_token_is_replaced(world: World) -> None:
    """
    A retry of an issue gives a new secret for the same key; the lost one is dead, and no record holds either.
    """
    path, key = f"{ACCOUNTS}/{world.account().id}/keys", {"Idempotency-Key": "k-1"}
    first = world.owner.post(path, {"name": "k1"}, key)
    second = world.owner.post(path, {"name": "k1"}, key)
    tokens = [parse(each.json["token"]) for each in (first, second)]

    assert (201, 201, first.json["key"]) == (first.status, second.status, second.json["key"])
    assert [401, 200] == [Caller(token).get("/v1/me").status for token in tokens]
    stored = str(list(IdempotencyRecord.objects.filter(principal=world.owner.id).values()))
    assert not any(each.json["token"] in stored for each in (first, second))


def test_token_in_use_is_not_replaced(world: World) -> None:
    """
    Once the key was used, a retry does not break whoever uses it.
    """
    path, key = f"{ACCOUNTS}/{world.account().id}/keys", {"Idempotency-Key": "k-1"}
    first = world.owner.post(path, {"name": "k1"}, key)
    used = Entry(
        at_ms=time.time_ns() // 1_000_000 + 1,
        organization=world.organization.id,
        account=first.json["key"]["account"]["id"],
        account_name="etl",
        account_kind="service_account",
        credential_id=first.json["key"]["id"],
        allowed=True,
    )
    ingest("local", secrets.token_hex(8), 0, [used])
    second = world.owner.post(path, {"name": "k1"}, key)

    assert (409, "idempotency_used") == (second.status, second.code)
    assert 200 == Caller(parse(first.json["token"])).get("/v1/me").status


def test_token_used_at_the_control_plane_alone_is_not_replaced(world: World) -> None:
    """
    A use of Retinue's own API is a use, from the moment it is answered, and so is one that was denied a
    permission later on; a token that only somebody guessed at was not used.
    """
    account, answers = world.account(permissions=("user:read",)), {}
    for name, use in {"me": "/v1/me", "users": "/v1/users", "guess": None}.items():
        path = f"{ACCOUNTS}/{account.id}/keys"
        key = {"Idempotency-Key": name}
        token = parse(world.owner.post(path, {"name": name}, key).json["token"])
        assert token is not None
        used = Caller(token if use else mint(Kind.API_KEY, kid=token.kid)).get(use or "/v1/me")
        again = world.owner.post(path, {"name": name}, key)
        answers[name] = (used.status, again.status, Caller(token).get("/v1/me").status)

    assert {"me": (200, 409, 200), "users": (200, 409, 200), "guess": (401, 201, 401)} == answers


def test_use_in_another_process_counts(world: World) -> None:
    """
    A use that another process of this host has logged and not stored yet, and that it never will because it
    was killed, keeps the token.
    """
    account = world.account()
    path, key = f"{ACCOUNTS}/{account.id}/keys", {"Idempotency-Key": "k-1"}
    first = world.owner.post(path, {"name": "k1"}, key).json
    arguments = [str(recorder._folder()), world.organization.id, account.id, first["key"]["id"]]
    subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)

    assert (409, "idempotency_used") == (
        (again := world.owner.post(path, {"name": "k1"}, key)).status,
        again.code,
    )


KILLED = """
import os, sys, time
from pathlib import Path
from retinue.usage import Entry, Spool
folder, organization, account, credential = sys.argv[1:]
at_ms = time.time_ns() // 1_000_000
Spool(Path(folder), "control").append(Entry(
    at_ms, organization, account, "etl", "service_account", credential, True, None, None, "GET", "/v1/me",
    "192.0.2.1", None, 1, 1,
))
os.kill(os.getpid(), 9)
"""


def test_two_at_once_make_one_change(world: World) -> None:
    """
    Two concurrent calls with one key make one account, and both are told of it.
    """

    def create(_: int) -> Answer:
        try:
            return Caller(world.owner.token).post(ACCOUNTS, new(world), {"Idempotency-Key": "k-1"})
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(create, range(4)))

    assert [201] * 4 == [each.status for each in answers], [each.text for each in answers]
    assert 1 == len({each.json["id"] for each in answers})
    assert 3 == sum(each.headers.get("idempotency-replayed") == "true" for each in answers)


def test_who_repeats_waits_for_the_nodes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The first call may have been killed after its commit, before any node had heard of it. Its repetition waits
    for the same revision; so does one without a key, of a revoke that finds the key revoked.
    """
    waited: list[int] = []

    def follow(receipt: receipts.Receipt, _seconds: float) -> receipts.Receipt:
        waited.append(receipt.revision)
        return receipt

    monkeypatch.setattr(receipts, "follow", follow)
    account = world.owner.post(ACCOUNTS, new(world)).json["id"]
    issued = world.owner.post(f"{ACCOUNTS}/{account}/keys", {"name": "k1"})
    path, key = f"/v1/keys/{issued.json['key']['id']}/revoke", {"Idempotency-Key": "k-1"}
    waited.clear()
    first = world.owner.post(path, {}, key)
    world.owner.post(path, {}, key)
    world.owner.post(path, {})

    revision = int(first.headers["retinue-revision"])
    assert [revision] * 3 == waited


def test_malformed_key_is_refused(world: World) -> None:
    """
    A key is 1 to 255 visible ASCII characters.
    """
    statuses = [
        world.owner.post(ACCOUNTS, new(world), {"Idempotency-Key": key}).status
        for key in ("", "a b", "x" * 256)
    ]

    assert [400] * 3 == statuses
