"""Relays at the control plane: who may be one, what one is told and tells, and what a node says through it."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from django.utils import timezone

from retinue.server.ids import new_id
from retinue.server.nodes import leases, probing
from retinue.server.nodes.models import Lease, Node, Probe
from retinue.server.nodes.settling import Awaited
from retinue.token import parse
from tests.api.world import Answer, Caller, World

OWN, OTHERS = "a" * 32, "b" * 32
X = "A" * 43


def operator() -> Caller:
    """The calls of an operator of an organization of its own."""
    return World.create().user(operator=True)[1]


def enrolled(caller: Caller, *, relay: bool) -> tuple[str, Caller]:
    """Enrol a node; return its name and its calls."""
    name = f"n-{secrets.token_hex(4)}"
    made = caller.post("/v1/nodes", {"name": name, "relay": relay})
    assert relay is made.json["node"]["relay"]
    return name, Caller(parse(made.json["token"]))


def poll(node: Caller, name: str, **given: Any) -> Answer:
    """Poll for a node, as far as it has come: nowhere."""
    body = {"node": name, "incarnation": OWN, "applied": {"epoch": 0, "revision": 0}, "wait": 0}
    return node.post("/v1/feed/poll", {**body, **given})


def follower(name: str, **given: Any) -> dict[str, Any]:
    """What a relay tells of a node."""
    told = {"node": name, "parent": "", "incarnation": OTHERS, "applied": {"epoch": 1, "revision": 1}}
    return {**told, "ago_ms": 100, **given}


def test_only_a_relay_is_told_of_nodes(world: World) -> None:
    """
    The records of nodes, and their credentials, go to a node that was enrolled as a relay and says that it is
    one; another that says so is refused.
    """
    caller = operator()
    (name, relay), (plain_name, plain) = enrolled(caller, relay=True), enrolled(caller, relay=False)
    kinds = [kinds_in_snapshot(*each) for each in ((relay, "?relay=true"), (relay, "?"), (plain, "?"))]

    assert ["node" in found for found in kinds] == [True, False, False]
    assert 200 == poll(relay, name, relay=True).status
    assert (403, "caller_forbidden") == _told(poll(plain, plain_name, relay=True))
    assert (403, "caller_forbidden") == _told(poll(plain, plain_name, followers=[]))
    assert (403, "caller_forbidden") == _told(plain.get("/v1/feed/snapshot?relay=true"))


def kinds_in_snapshot(node: Caller, query: str) -> set[str]:
    """Return the kinds of records in all pages of a snapshot; that one is gone is noted by every node."""
    found: set[str] = set()
    after = ""
    while True:
        page = node.get(f"/v1/feed/snapshot{query}{after}").json
        found |= {each["kind"] for each in page["changes"] if each.get("value") is not None}
        if page["next"] is None:
            return found
        after = f"&after={page['next']}"


def _told(answer: Answer) -> tuple[int, str | None]:
    return answer.status, answer.code


def test_a_relay_tells_who_follows_it(world: World) -> None:
    """
    A node that follows a relay stands in the list with its parent, as it was last heard there; one behind a relay
    behind a relay with the nearer one.
    """
    caller = operator()
    (name, relay), (child, _), (leaf, _) = (enrolled(caller, relay=each) for each in (True, True, False))
    told = [follower(child), follower(leaf, parent=child, ago_ms=60_000)]
    assert 200 == poll(relay, name, relay=True, followers=told).status
    found = {each["name"]: each for each in caller.get("/v1/nodes?limit=200").json["items"]}

    assert (None, True) == (found[name]["parent"], found[name]["connected"])
    assert (name, True, OTHERS) == tuple(found[child][key] for key in ("parent", "connected", "incarnation"))
    assert (child, False) == (found[leaf]["parent"], found[leaf]["connected"])
    assert {"epoch": 1, "revision": 1} == found[child]["applied"]


def test_what_a_relay_confirms_is_what_counts(world: World) -> None:
    """
    The row of a relay says what holds on all behind it; a receipt names those that were behind.
    """
    name, relay = enrolled(operator(), relay=True)
    told = [follower("one", applied={"epoch": 1, "revision": 9}), follower("two")]
    poll(relay, name, relay=True, followers=told, confirmed={"epoch": 0, "revision": 0})
    row = Lease.objects.get(node=Node.objects.get(name=name))

    assert (0, 0) == (row.epoch, row.revision)
    assert ["two"] == leases.behind(Awaited(name, OWN, 0), 1, 9)
    assert ["one", "two"] == leases.behind(Awaited(name, OWN, 0), 2, 1)


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("body.confirmed", {"confirmed": {"epoch": 0, "revision": 1}}),
        ("body.confirmed.revision", {"confirmed": {"epoch": 0, "revision": -1}}),
        ("body.followers.node", {"followers": [follower("No name")]}),
        ("body.followers.parent", {"followers": [follower("n", parent="!")]}),
        ("body.followers.incarnation", {"followers": [follower("n", incarnation="x")]}),
        ("body.followers.ago_ms", {"followers": [follower("n", ago_ms=-1)]}),
        ("body.followers", {"followers": [follower("n")] * 1_001}),
    ],
)
def test_what_no_relay_says_is_refused(world: World, field: str, given: dict[str, Any]) -> None:
    """
    The field at fault is named, and nothing of it is kept.
    """
    name, relay = enrolled(operator(), relay=True)
    answer = poll(relay, name, relay=True, **given)

    assert 400 == answer.status, answer.text
    assert field.removeprefix("body.") in answer.json["field"]
    assert not Lease.objects.filter(node__name=name).exists()


def test_a_node_behind_a_relay_announces_itself(world: World) -> None:
    """
    Its key is listed by its own word and credential, and no other node's.
    """
    caller = operator()
    (name, node), (other, _) = enrolled(caller, relay=False), enrolled(caller, relay=False)
    key = {"kid": secrets.token_hex(8), "x": X}
    told = [node.post("/v1/feed/announce", {"node": each, "identity_key": key}) for each in (name, other)]
    wrong = node.post("/v1/feed/announce", {"node": name, "identity_key": {"kid": "k", "x": "short"}})

    assert [200, 403] == [each.status for each in told]
    assert 400 == wrong.status
    assert key["kid"] in {each["kid"] for each in caller.get("/v1/identity-keys").json["keys"]}


def test_a_probe_waits_for_nodes_behind_relays(world: World) -> None:
    """
    A node that a relay tells of is missing from a probe until it has announced what it found, with its own
    credential; what no node reports is refused, and names the field.
    """
    caller = operator()
    (name, relay), (child, node) = enrolled(caller, relay=True), enrolled(caller, relay=False)
    assert 200 == poll(relay, name, relay=True, followers=[follower(child)]).status
    probe, other = (_probe(caller) for _ in range(2))
    before = probing.view(probe)
    key = {"kid": secrets.token_hex(8), "x": X}
    said = {"node": child, "identity_key": key, "incarnation": OTHERS}
    report = {"id": probe.id, "allowed_at": 1, "last_allowed_at": 2, "refused_at": 3, "reason": "r"}
    wrong = [
        node.post("/v1/feed/announce", {**said, **given})
        for given in (
            {"probes": [report], "incarnation": ""},
            {"probes": [{**report, "refused_at": -1}]},
            {"probes": [report] * 100},
        )
    ]
    told = node.post("/v1/feed/announce", {**said, "probes": [report]})
    after = probing.view(probe)

    assert [(400, "incarnation"), (400, "probes.0.refused_at"), (400, "probes")] == [
        (each.status, each.json["field"].removeprefix("body.")) for each in wrong
    ]
    assert child in before.missing
    assert (200, {child}, True) == (
        told.status,
        {each.node.name for each in after.results},
        child not in after.missing,
    )
    assert child in probing.view(other).missing


def _probe(caller: Caller) -> Probe:
    """Begin a probe, as if its canary had been told."""
    key = caller.get("/v1/me").json["credential"]["id"]
    return Probe.objects.create(
        id=new_id("prb"), credential_id=key, sealed=None, state="revoked", started_at=timezone.now()
    )
