"""The control plane's own decisions stand in the request log and count as uses, like a node's."""

from __future__ import annotations

from typing import Any

import pytest

from retinue.server.traffic import queries, recorder
from retinue.token import Kind, mint
from retinue.usage import Spool
from tests.api.world import Caller, World


def logged(world: World, caller: Caller) -> list[dict[str, Any]]:
    """What is listed about a caller, the oldest first."""
    recorder.store_all()
    items = world.owner.get(f"/v1/requests?account={caller.id}").json["items"]
    return list(reversed(items))


def test_decisions_about_callers_are_logged(world: World) -> None:
    """
    Allowed and denied calls of a service account are listed with what was asked, from where, and by whom.
    """
    caller = world.caller("user:read", name="reader")
    caller.call("GET", "/v1/users?limit=1", headers={"user-agent": "probe/1"}, address="192.0.2.9")
    caller.get("/v1/service-accounts")
    first, second = logged(world, caller)

    assert ("allowed", None, "user:read", "GET", "/v1/users", "192.0.2.9", "probe/1", "control plane") == tuple(
        first[name] for name in ("decision", "reason", "permission", "method", "path", "address", "client", "node")
    )  # fmt: skip
    assert ("reader", "service_account") == (first["account"]["name"], first["account"]["kind"])
    assert ("denied", "permission_missing", "service_account:read") == (
        second["decision"], second["reason"], second["permission"],
    )  # fmt: skip


def test_token_in_the_name_of_the_client_is_logged_in_its_display_form(world: World) -> None:
    """
    Of any brand: who puts one there leaves no secret in the log.
    """
    caller, token = world.caller(), mint(Kind.API_KEY, "acme")
    caller.get("/v1/me", headers={"user-agent": f"curl {token.reveal()}"})
    (entry,) = logged(world, caller)

    assert f"curl {token.display}" == entry["client"]


def test_call_is_found_by_the_id_of_its_answer(world: World) -> None:
    """
    The id in the header of any answer about a genuine token finds the call in the log, allowed or denied.
    """
    caller = world.caller("user:read")
    answers = [caller.get("/v1/users"), caller.get("/v1/service-accounts")]
    recorder.store_all()
    found = [
        world.owner.get(f"/v1/requests?request_id={answer.headers['retinue-request-id']}").json["items"]
        for answer in answers
    ]

    assert [["/v1/users"], ["/v1/service-accounts"]] == [[each["path"] for each in items] for items in found]


def test_denial_by_the_handler_is_a_denial(world: World) -> None:
    """
    Where the object decides what is needed, the decision that counts is the handler's.
    """
    caller = world.caller()
    key = world.key(world.account())[0]
    answer = caller.post(f"/v1/keys/{key.id}/revoke", {"reason": "no_longer_needed"})
    (entry,) = logged(world, caller)

    assert 403 == answer.status
    assert ("denied", "permission_missing", "credential:revoke") == (
        entry["decision"], entry["reason"], entry["permission"],
    )  # fmt: skip


def test_use_is_counted_once(world: World) -> None:
    """
    However often the same spool is stored, a use counts once; a denied call is no use.
    """
    caller = world.caller("user:read")
    caller.get("/v1/users")
    caller.get("/v1/service-accounts")
    credential = caller.get("/v1/me").json["credential"]["id"]
    for _ in range(3):
        recorder.store_all()

    assert 2 == queries.usage([credential])[credential].count


def test_strangers_and_nodes_are_not_logged(world: World) -> None:
    """
    A token that is not genuine belongs to nobody's log, and a node that polls is no account.
    """
    recorder.store_all()
    before = queries.Request.objects.count()
    _, node = world.node()
    node.get("/v1/feed/snapshot")
    Caller(None).get("/v1/me")
    recorder.store_all()

    assert before == queries.Request.objects.count()


def test_full_disk_does_not_stop_a_call(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A log that cannot be written is complained of; the call is answered.
    """

    def fail(*_: object) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Spool, "append", fail)

    assert 200 == world.owner.get("/v1/me").status
