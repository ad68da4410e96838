"""What a node says of itself: kept as it comes, within limits."""

from __future__ import annotations

import secrets

import pytest

from retinue.server.nodes.models import NodeAbout
from retinue.token import parse
from tests.api.test_nodes import operator
from tests.api.world import Caller, World

ABOUT = {"version": "1.2.3", "credentials": 7, "decisions": 9, "window_seconds": 300}
SPEED = {"p50_ns": 1_500, "p99_ns": 20_000}


def test_node_tells_how_it_is(world: World) -> None:
    """
    What a node said of itself last stands at it, and nowhere else; one that never said anything has nothing.
    """
    caller, names = operator(), [f"n-{secrets.token_hex(4)}" for _ in range(2)]
    made = [caller.post("/v1/nodes", {"name": name}).json for name in names]
    node = Caller(parse(made[0]["token"]))
    for told in ({**ABOUT, "decisions": 0}, {**ABOUT, **SPEED}):
        assert 200 == node.post("/v1/feed/announce", {"node": names[0], "about": told}).status
    shown = [caller.get(f"/v1/nodes/{each['node']['id']}").json["about"] for each in made]
    foreign = node.post("/v1/feed/announce", {"node": names[1], "about": ABOUT})

    assert ("1.2.3", 7) == (shown[0]["version"], shown[0]["credentials"])
    assert {"decisions": 9, "window_seconds": 300, "p50_us": 1.5, "p99_us": 20.0} == shown[0]["verification"]
    assert (None, 403) == (shown[1], foreign.status)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("version", {"version": ""}),
        ("version", {"version": "1" * 41}),
        ("version", {"version": "<b>1"}),
        ("version", {"version": "1\n2"}),
        ("credentials", {"credentials": -1}),
        ("credentials", {"credentials": 1 << 63}),
        ("decisions", {"decisions": 1 << 63}),
        ("window_seconds", {"window_seconds": 86_401}),
        ("p50_ns", {"p50_ns": -1}),
        ("p99_ns", {"p99_ns": 86_400_000_000_001}),
        ("p50_ns", {"p50_ns": None}),
        ("p50_ns", {"p50_ns": None, "p99_ns": None}),
        ("p50_ns", {"decisions": 0}),
        ("p99_ns", {"p50_ns": 20_001}),
        ("credentials", {"credentials": "7"}),
        ("more", {"more": 1}),
    ],
)
def test_what_no_node_says_of_itself_is_refused(world: World, field: str, wrong: dict[str, object]) -> None:
    """
    A node is believed nothing beyond its limits, and what it said before stays.
    """
    ident, node = world.node()
    assert 200 == node.post("/v1/feed/announce", {"node": "", "about": {**ABOUT, **SPEED}}).status
    answer = node.post("/v1/feed/announce", {"node": "", "about": {**ABOUT, **SPEED, **wrong}})

    assert (400, f"about.{field}") == (answer.status, str(answer.field).removeprefix("body.")), answer.text
    assert (7, 20_000) == NodeAbout.objects.values_list("credentials", "p99_ns").get(node_id=ident)
