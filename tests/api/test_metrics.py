"""``/metrics`` of the control plane: who may read it, and what it says of nodes."""

from __future__ import annotations

import pytest

from tests.api.test_nodes import operator
from tests.api.world import STRANGER, World


def test_an_operator_reads_the_metrics(world: World) -> None:
    """
    Who holds ``node:read`` reads them as Prometheus' text, and no cache keeps it.
    """
    ident, _ = world.node()
    caller = operator()
    name = caller.get(f"/v1/nodes/{ident}").json["name"]
    answer = caller.get("/metrics")

    assert (200, "no-store") == (answer.status, answer.headers["cache-control"])
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert f'retinue_node_connected{{node="{name}"}} 0.0' in answer.text


def test_others_do_not(world: World) -> None:
    """
    Without a token, or without the permission, nothing is told; the method is refused by name.
    """
    stranger, owner = STRANGER.get("/metrics"), world.owner.get("/metrics")
    posted = operator().post("/metrics")

    assert (401, "token_missing") == (stranger.status, stranger.code)
    assert (403, "permission_missing") == (owner.status, owner.code)
    assert (405, "GET, HEAD") == (posted.status, posted.headers["allow"])


def test_a_node_is_told_with_lease_and_clock(world: World) -> None:
    """
    The API says of a node how long it may decide unheard, how its clock keeps pace, and what waited for it.
    """
    ident, feed = world.node()
    caller = operator()
    before = caller.get(f"/v1/nodes/{ident}").json
    poll = {
        "node": before["name"],
        "incarnation": "0" * 32,
        "applied": {"epoch": 0, "revision": 0},
        "clock": 5,
    }
    feed.post("/v1/feed/poll", poll)
    after = caller.get(f"/v1/nodes/{ident}").json

    unknown = {"state": "unknown", "ratio": None, "wall_ahead_seconds": None, "losses": 0}
    assert (0.0, unknown) == (before["lease_remaining_seconds"], before["clock"])
    assert pytest.approx(10.0, abs=2.0) == after["lease_remaining_seconds"]
    assert (unknown, 0, None) == (after["clock"], after["waits"], after["last_wait_at"])
