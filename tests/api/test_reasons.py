"""Why something is changed: asked everywhere in the same way, and told by the events."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from retinue.server.api.operations import Operation
from tests.api.test_events import CASES, CHANGES, events_of
from tests.api.world import World

#: A revoke says of which kind its reason is.
KINDS_OF_REASON = {
    "revoke_key", "revoke_keys", "revoke_my_token", "revoke_personal_token", "revoke_ingest_token",
}  # fmt: skip


@pytest.mark.parametrize("each", CHANGES, ids=lambda each: each.name)
def test_every_change_tells_why(world: World, each: Operation) -> None:
    """
    Every change takes a reason, without a body in its query, and each of its events gives it; a revoke has a kind
    of reason beside it, for which the words are ``text``.
    """
    case = CASES[each.name](world)
    field = "text" if each.name in KINDS_OF_REASON else "reason"
    path = (
        case.path
        if each.body is not None
        else f"{case.path}{'&' if '?' in case.path else '?'}reason=ticket%207"
    )
    body = None if each.body is None else {**(case.body or {}), field: "ticket 7"}
    answer = (case.caller or world.owner).call(each.method, path, body)

    assert each.status == answer.status, answer.text
    assert {"ticket 7"} == {event.reason for event in events_of(answer)}


@pytest.mark.parametrize("reason", ["x" * 1025, "a\u202eb"])
def test_a_reason_is_one_plain_line(world: World, reason: str) -> None:
    """
    A reason that is too long, or has characters that hide or turn what people read, is refused by name.
    """
    account = f"/v1/service-accounts/{world.account().id}"
    sent = world.owner.post(f"{account}/disable", {"reason": reason})
    asked = world.owner.delete(f"{account}?reason={quote(reason)}")

    assert [(400, "body.reason"), (400, "query.reason")] == [
        (each.status, each.field) for each in (sent, asked)
    ]
