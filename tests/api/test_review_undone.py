"""``POST /v1/reviews/{id}/items/{id}/decide`` with ``undecided``: a decision is taken back."""

from __future__ import annotations

from typing import Any

from tests.api.world import World


def _decide(world: World, item: str, **body: object) -> Any:
    return world.owner.post(f"{item}/decide", body)


def test_decision_is_taken_back_while_the_review_is_open(world: World) -> None:
    """
    Whoever may decide may unsay it: the account waits again, for silence too, and the log has both. Without a
    decision, with a note, or after the end it is refused.
    """
    world.account("etl")
    path = f"/v1/reviews/{world.owner.post('/v1/reviews', {'name': 'Autumn'}).json['id']}"
    item = world.owner.get(f"{path}/items").json["items"][0]["id"]
    early = _decide(world, f"{path}/items/{item}", decision="undecided")
    _decide(world, f"{path}/items/{item}", decision="delete", note="not needed")
    noted = _decide(world, f"{path}/items/{item}", decision="undecided", note="oh")
    undone = _decide(world, f"{path}/items/{item}", decision="undecided", reason="the wrong one")
    waits = world.owner.post(f"{path}/apply", {})
    event = world.owner.get("/v1/audit-events?type=review.decided&limit=1").json["items"][0]
    world.owner.post(f"{path}/cancel", {})
    late = _decide(world, f"{path}/items/{item}", decision="undecided")

    assert (409, "state_conflict") == (early.status, early.code)
    assert (400, "body.note") == (noted.status, noted.field)
    assert (200, None, "", None, None) == (
        undone.status, undone.json["decision"], undone.json["note"], undone.json["decided_by"], undone.json["decided_at"]
    )  # fmt: skip
    assert (409, 409) == (waits.status, late.status)
    assert ("delete", "undecided", "the wrong one") == (
        event["before"]["decision"], event["after"]["decision"], event["reason"]
    )  # fmt: skip
