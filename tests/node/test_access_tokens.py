"""Access tokens on a node: genuine by the pepper alone, and ended with the record of their key."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import msgspec
import pytest

from retinue import access_token, pepper
from retinue.replica import records
from retinue.replica.records import ANY, Change, Digest, Kind
from retinue.replica.store import Store
from retinue.token import BASE62, Token, checksum
from tests.node.wire import Reply
from tests.node.world import ORGANIZATION, REVISION, Node, World, build, running
from tests.support.leases import LONG_MS

LIFE = 600


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The usual replica; its organization offers access tokens, and takes no other bearer tokens."""
    built = build(tmp_path_factory.mktemp("access") / "home")
    organization = records.Organization(
        ORGANIZATION, "acme", "Acme", "enabled", ("apikey",), lease_ms=LONG_MS, exchange_ms=LIFE * 1000
    )
    put(built, Kind.ORGANIZATION, ORGANIZATION, organization)
    put(built, Kind.SCHEMES, ANY, records.Schemes(("apikey", "bearer")))
    return built


@pytest.fixture(scope="module")
def node(world: World) -> Iterator[Node]:
    """A worker."""
    with running(world) as started:
        yield started


def put(world: World, kind: Kind, key: str, record: records.Record) -> None:
    """Write one record, as a follower does."""
    store = Store(world.replica, writable=True, map_bytes=64 << 20)
    try:
        with store.snapshot() as snapshot:
            meta = snapshot.meta()
        change = Change(REVISION, kind, key, records.encode(record))
        store.apply([change], msgspec.structs.replace(meta, revision=REVISION))
    finally:
        store.close()


def record_of(world: World, name: str) -> records.Credential:
    """What the replica knows of a key."""
    store = Store(world.replica)
    try:
        with store.snapshot() as snapshot:
            found = snapshot.credential(world.tokens[name].kid)
    finally:
        store.close()
    assert found is not None
    return found


def made(world: World, name: str, ends: float = LIFE, digest: Digest | None = None) -> str:
    """An access token for a key."""
    active = pepper.load(world.home / "pepper").active
    digest = digest or record_of(world, name).digests[0]
    kid = world.tokens[name].kid
    return access_token.make(digest, active, "rtn", kid, int(time.time() + ends)).reveal()


def ask(node: Node, token: str, scheme: str = "bearer") -> Reply:
    """Ask for a decision, as an application does."""
    question = {"token": token, "need": ["report:read"], "scheme": scheme}
    body = json.dumps(question).encode()
    return node.get("/v1/verify", "Content-Type: application/json", method="POST", body=body)


def reason(reply: Reply) -> str | None:
    """Why it is denied."""
    found: str | None = reply.json()["reason"]
    return found


def test_it_is_told_from_the_key(node: Node) -> None:
    """
    Allowed for the account and the key, said to be an access token; it ends when it says.
    """
    answer = ask(node, made(node.world, "reader")).json()

    assert (True, True, "sa_reader") == (answer["allowed"], answer["access_token"], answer["account"]["id"])
    assert f"key_{node.world.tokens['reader'].kid}" == answer["credential_id"]
    assert answer["expires_at"] is not None
    assert (
        200
        == node.get(
            "/v1/forward-auth/report:read", f"Authorization: Bearer {made(node.world, 'reader')}"
        ).status
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("revoked", "credential_revoked"),
        ("suspended", "credential_suspended"),
        ("expired", "credential_expired"),
        ("disabled", "account_disabled"),
        ("powerless", "permission_missing"),
        ("closed", "organization_disabled"),
        ("elsewhere", "kind_not_accepted"),
    ],
)
def test_it_stands_and_falls_with_its_key(node: Node, name: str, expected: str) -> None:
    """
    Every state of key, account and organization holds; where none are offered, none is accepted.
    """
    assert expected == reason(ask(node, made(node.world, name)))


def test_its_end_is_its_end(node: Node) -> None:
    """
    By the second; and one that was made for longer than is offered now has ended.
    """
    assert "credential_expired" == reason(ask(node, made(node.world, "reader", -1)))
    assert "credential_expired" == reason(ask(node, made(node.world, "reader", LIFE + 120)))


def test_the_key_itself_is_no_bearer_token(node: Node) -> None:
    """
    The scheme is open for access tokens alone; and these stand nowhere else.
    """
    assert "scheme_not_accepted" == reason(ask(node, node.world.token("reader")))
    assert "scheme_not_accepted" == reason(ask(node, made(node.world, "reader"), "apikey"))


def test_a_new_secret_ends_it_on_the_node(world: World, node: Node) -> None:
    """
    With the record that says so: at once, or when the former digest ends.
    """
    before = record_of(world, "warned")
    token = made(world, "warned")
    now_ms = int(time.time() * 1000)
    pepper_id = before.digests[0].pepper_id
    fresh = Digest(bytes(32), pepper_id)
    kid = world.tokens["warned"].kid
    kept = msgspec.structs.replace(before.digests[0], valid_until_ms=now_ms + 60_000)
    gone = msgspec.structs.replace(before.digests[0], valid_until_ms=now_ms - 1)
    found = []
    for digests in ((fresh, kept), (fresh, gone), (fresh,)):
        put(world, Kind.CREDENTIAL, kid, msgspec.structs.replace(before, digests=digests))
        found.append(reason(ask(node, token)))

    assert [None, "token_unknown", "token_unknown"] == found


def test_nobody_makes_one_without_the_pepper(node: Node) -> None:
    """
    Every character counts; a longer life, another key, another pepper, a random text: all unknown.
    """
    world = node.world
    good = made(world, "reader")
    head, payload = good[:-49], good[-49:-6]
    for place in range(0, 43, 6):
        other = BASE62[(BASE62.index(payload[place]) + 1) % 62]
        text = head + payload[:place] + other + payload[place + 1 :]
        assert "token_unknown" == reason(ask(node, text + checksum(text.encode())))
    swapped = head.replace(world.tokens["reader"].kid, world.tokens["bäcker"].kid) + payload
    assert "token_unknown" == reason(ask(node, swapped + checksum(swapped.encode())))
    largest = head + "z" * 43
    assert "token_unknown" == reason(ask(node, largest + checksum(largest.encode())))
    foreign = pepper.Pepper(b"x" * 32)
    forged = access_token.make(
        record_of(world, "reader").digests[0],
        foreign,
        "rtn",
        world.tokens["reader"].kid,
        int(time.time()) + 60,
    )
    assert "token_unknown" == reason(ask(node, forged.reveal()))


def test_it_prints_as_little_as_any_token() -> None:
    """
    Only its head is shown.
    """
    active = pepper.Pepper(b"y" * 32)
    token = access_token.make(Digest(bytes(32), active.id), active, "rtn", "A" * 12, 1)

    assert isinstance(token, Token)
    assert "rtnacc_AAAAAAAAAAAA_…" == str(token)
