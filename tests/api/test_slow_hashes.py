"""Keys that another system kept as Argon2 or bcrypt: tried once by the control plane, then ours."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from retinue.server.api import claiming
from retinue.server.credentials import slow
from retinue.server.credentials.models import Credential, Lookup, SlowHash
from retinue.server.ledger.queries import AuditEvent
from tests.api.slow_cases import ALGORITHMS, PREFIX, PUBLIC, body, hashed, token
from tests.api.world import STRANGER, Answer, Caller, World


@pytest.fixture
def account(world: World) -> str:
    """The id of an account that may read keys."""
    return world.account(permissions=("credential:read",)).id


@pytest.fixture
def node(world: World) -> Caller:
    """An enrolled node."""
    return world.node()[1]


def bring(world: World, account: str, algorithm: str, *texts: str, **more: Any) -> Answer:
    """Import keys as the owner does."""
    return world.owner.post("/v1/bulk/keys/import", body(account, algorithm, *texts, **more))


def tried(node: Caller, text: str) -> bool:
    """Hand a token over as a node does."""
    answer = node.post("/v1/feed/claim", {"token": text})
    assert 200 == answer.status, answer
    genuine: bool = answer.json["genuine"]
    return genuine


def status(text: str) -> int:
    """Call the API with a token."""
    return STRANGER.call("GET", "/v1/keys", headers={"authorization": f"Bearer {text}"}).status


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_first_token_replaces_the_hash(world: World, account: str, node: Caller, algorithm: str) -> None:
    """
    Until it is tried the token is unknown; then it is a key like any other, and the hash is gone.
    """
    text = token()
    made = bring(world, account, algorithm, text).json
    ident = made["items"][0]["id"]
    before = status(text)
    found = [tried(node, text[:-1] + "~"), tried(node, text), tried(node, text)]

    assert (1, 401, [False, True, True], 200) == (made["done"], before, found, status(text))
    row = Credential.objects.get(id=ident)
    assert (32, "") == (len(bytes(row.digest)), row.scheme)
    assert not SlowHash.objects.filter(credential=row).exists()
    assert 1 == AuditEvent.objects.filter(type="key.proven", subject=ident).count()
    assert 401 == status(text[:-1] + "~")
    world.owner.post(f"/v1/keys/{ident}/revoke")
    assert 401 == status(text)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_ended_key_proves_nothing(world: World, account: str, node: Caller, algorithm: str) -> None:
    """
    Revoked before its first use; or given a secret of ours, which forgets the hash.
    """
    revoked, renewed = token(), token()
    items = bring(world, account, algorithm, revoked, renewed).json["items"]
    world.owner.post(f"/v1/keys/{items[0]['id']}/revoke")
    again = world.owner.post(f"/v1/keys/{items[1]['id']}/regenerate")

    assert 200 == again.status
    assert [False, False] == [tried(node, revoked), tried(node, renewed)]
    assert 200 == status(again.json["token"])
    assert not SlowHash.objects.filter(credential_id=items[1]["id"]).exists()


def test_repeating_an_import_changes_nothing(world: World, account: str, node: Caller) -> None:
    """
    Before and after the first use; a public part that another account has is refused.
    """
    text = token()
    other = world.account("other").id
    results = [bring(world, account, "bcrypt", text).json["items"][0]["result"]]
    results.append(bring(world, account, "bcrypt", text).json["items"][0]["result"])
    assert tried(node, text)
    results.append(bring(world, account, "bcrypt", text).json["items"][0]["result"])
    refused = bring(world, other, "bcrypt", text).json["items"][0]

    assert ["done", "unchanged", "unchanged"] == results
    assert ("refused", "state_conflict") == (refused["result"], refused["code"])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_hash_is_at_rest(world: World, account: str, algorithm: str) -> None:
    """
    Neither the hash nor the public part stands in the database in plain.
    """
    text = token()
    asked = body(account, algorithm, text)
    assert 1 == world.owner.post("/v1/bulk/keys/import", asked).json["done"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT sealed FROM credentials_slowhash")
        rows = [bytes(row[0]) for row in cursor.fetchall()]

    assert rows
    assert not any(asked["keys"][0]["digest"].encode() in row or b"$" + text.encode() in row for row in rows)
    assert not Lookup.objects.filter(key__contains=text[:PUBLIC]).exists()


def _with(place: str, field: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(asked: dict[str, Any]) -> None:
        (asked["scheme"] if place == "scheme" else asked["keys"][0])[field] = value

    return change


ARGON = "$argon2id$v=19$m={m},t={t},p={p}$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNo"


@pytest.mark.parametrize(
    ("algorithm", "change", "field"),
    [
        ("bcrypt", _with("key", "digest", "$2b$31$" + "a" * 53), "digest"),
        ("bcrypt", _with("key", "digest", "$2b$12$short"), "digest"),
        ("bcrypt", _with("key", "digest", "0" * 64), "digest"),
        ("argon2", _with("key", "digest", ARGON.format(m=4_000_000, t=1, p=1)), "digest"),
        ("argon2", _with("key", "digest", ARGON.format(m=64, t=4_000_000, p=1)), "digest"),
        ("argon2", _with("key", "digest", "$argon2id$v=19$m=64,t=1,p=1$$"), "digest"),
        ("argon2", _with("key", "digest", "$2b$12$" + "a" * 53), "digest"),
        ("argon2", _with("key", "public", "live_short"), "public"),
        ("argon2", _with("key", "public", "dead_12345678"), "public"),
    ],
)
def test_what_cannot_be_tried_is_refused(
    world: World, account: str, algorithm: str, change: Callable[[dict[str, Any]], None], field: str
) -> None:
    """
    By item, with the field; a hash that would take long to try is none. Nothing of it is left.
    """
    asked = body(account, algorithm, token())
    change(asked)
    item = world.owner.post("/v1/bulk/keys/import", asked).json["items"][0]

    assert ("refused", "invalid_value", field) == (item["result"], item["code"], item["field"])
    assert not Credential.objects.filter(principal_id=account).exists()


@pytest.mark.parametrize(
    ("algorithm", "public"), [("argon2", 0), ("bcrypt", 3), ("bcrypt", 65), ("bcrypt", 5), ("sha256", 8)]
)
def test_a_scheme_says_how_long_the_public_part_is(
    world: World, account: str, algorithm: str, public: int
) -> None:
    """
    Without one a hash could not be found; a digest needs none.
    """
    asked = body(account, "argon2", token())
    asked["scheme"] |= {"algorithm": algorithm, "public": public}
    answer = world.owner.post("/v1/bulk/keys/import", asked)

    assert (400, "body.scheme.public") == (answer.status, answer.field)


def test_only_nodes_hand_tokens_over(world: World) -> None:
    """
    Whoever else asks is refused.
    """
    assert 401 == STRANGER.post("/v1/feed/claim", {"token": token()}).status
    assert 403 == world.owner.post("/v1/feed/claim", {"token": token()}).status


def test_few_are_tried_at_once(
    world: World, account: str, node: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    One more waits for a moment, and is told to come again; nothing is tried for a text that finds no key.
    """
    text = token()
    bring(world, account, "bcrypt", text)
    monkeypatch.setattr(claiming, "_places", threading.BoundedSemaphore(1))
    monkeypatch.setattr(claiming, "WAIT_SECONDS", 0.05)
    with claiming._places:
        busy = node.post("/v1/feed/claim", {"token": text})
        nothing = tried(node, f"{PREFIX}00000000.{'x' * 32}")

    assert (429, "rate_limited", False) == (busy.status, busy.code, nothing)
    assert tried(node, text)


def test_a_dear_hash_is_told_by_its_parameters() -> None:
    """
    Nothing is tried to find out.
    """
    assert slow.mistake("argon2", ARGON.format(m=64, t=1, p=1)) is None
    assert slow.mistake("argon2", ARGON.format(m=262_144, t=16, p=17)) is not None
    assert slow.mistake("bcrypt", "$2y$14$" + "a" * 53) is None


def test_hashes_of_known_systems_are_read() -> None:
    """
    As they are made: each fits its token and no other.
    """
    for algorithm in ALGORITHMS:
        text = token()
        made = hashed(algorithm, text)
        assert slow.mistake(algorithm, made) is None
        assert slow.is_genuine(algorithm, made, text.encode())
        assert not slow.is_genuine(algorithm, made, text.encode()[:-1] + b"~")
    long = "k" * 100
    assert slow.is_genuine("bcrypt", hashed("bcrypt", long), long.encode())
