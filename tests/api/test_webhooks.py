"""``/v1/webhooks``: events go out signed, at least once and with one id; nobody is called who must not be."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from django.db import connections
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from retinue.server.notifications import keeper, outbox, sending
from retinue.server.notifications.models import Delivery, Webhook
from tests.api.messages import Outside
from tests.api.world import World
from tests.storage.estate import hooked
from tests.support.outside import Received

JSON = dict[str, Any]


def made(world: World, outside: Outside, name: str = "siem", *events: str) -> tuple[str, str]:
    """Create a webhook; return its address in the API and its secret."""
    sent = {"name": name, "url": f"{outside.receiver.url}/{name}", "events": list(events) or ["key.*"]}
    answer = world.owner.post("/v1/webhooks", sent)
    assert 201 == answer.status, answer.text
    return f"/v1/webhooks/{answer.json['webhook']['id']}", answer.json["secret"]


def read(received: Received, secret: str) -> JSON:
    """Check the signature as a receiver does, by the standard's own library, and return the body."""
    found: JSON = Verifier(secret).verify(received.body, received.headers)
    return found


def deliveries(world: World, path: str) -> list[JSON]:
    found: list[JSON] = world.owner.get(f"{path}/deliveries").json["items"]
    return found


def test_an_event_arrives_signed(world: World, outside: Outside) -> None:
    """
    What a webhook wants is sent after the commit, by ids and without personal data; the standard's library accepts the
    signature with this secret, and with no other. What it does not want is not sent, nor what another organization does.
    """
    path, secret = made(world, outside)
    key, token = world.key(world.account())
    other = World.create()
    other.key(other.account())
    outside.tell()
    [got] = outside.receiver.got
    body = read(got, secret)

    assert ("key.issued", {"kind": "api_key", "id": key.id}) == (body["type"], body["data"]["subject"])
    assert world.organization.handle == body["data"]["organization"]["handle"]
    assert token.reveal() not in got.body.decode()
    with pytest.raises(WebhookVerificationError):
        read(got, "whsec_" + "A" * 43 + "=")
    [listed] = deliveries(world, path)
    assert (got.headers["webhook-id"], "done", 204, 1) == tuple(
        listed[name] for name in ("id", "state", "last_status", "attempts")
    )
    assert 0 == outside.tell()


def test_what_breaks_off_is_sent_again_with_the_same_id(world: World, outside: Outside) -> None:
    """
    A process that died after the commit, after it took a message, or after it sent it, loses nothing: the next one sends
    it once its time is over, and the receiver sees the same id.
    """
    path, _ = made(world, outside)
    world.key(world.account())
    outbox.gather(outside.clock())
    [taken] = sending.claim(outside.clock())  # the process dies here
    assert (0, []) == (outside.tell(), outside.receiver.got)
    outside.tell(seconds=61)
    Delivery.objects.filter(id=taken.id).update(
        state="pending", ended_at=None
    )  # it died before it wrote that down
    outside.tell(seconds=61)

    assert [taken.id] * 2 == [each.headers["webhook-id"] for each in outside.receiver.got]
    assert "done" == deliveries(world, path)[0]["state"]


def test_a_transaction_that_is_undone_tells_nobody(world: World, outside: Outside) -> None:
    """
    What is refused sends nothing, and reading the ledger again tells no event twice.
    """
    path, _ = made(world, outside, "all", "*")
    world.owner.post("/v1/service-accounts", {"name": "", "purpose": "x"})
    world.account("once")
    outside.tell()
    from retinue.server.notifications.models import Progress

    Progress.objects.filter(id=1).update(revision=0)
    outside.tell()
    types = [json.loads(each.body)["type"] for each in outside.receiver.got]

    assert 1 == types.count("account.created")
    assert len(types) == len({each.headers["webhook-id"] for each in outside.receiver.got})
    assert len(types) == len(deliveries(world, path))


def test_two_processes_send_each_event_once(world: World, outside: Outside) -> None:
    """
    Several keepers at once, as several processes have, send every event, and none of them twice.
    """
    made(world, outside)
    account = world.account()
    ids = {world.key(account, f"k{number}")[0].id for number in range(8)}

    def run() -> None:
        try:
            for _ in range(3):
                keeper.run(outside.clock)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    outside.tell()
    subjects = [json.loads(each.body)["data"]["subject"]["id"] for each in outside.receiver.got]

    assert (sorted(ids), 8) == (sorted(subjects), len(subjects))


def test_who_is_overtaken_puts_down_nothing(world: World, outside: Outside) -> None:
    """
    While it is made who is to be told, another process reads the same events, and one more is made: each is told once.
    """
    made(world, outside)
    account = world.account()
    ids, done = [world.key(account)[0].id], threading.Event()

    def meanwhile() -> None:
        if not done.is_set():
            done.set()
            outbox.gather(outside.clock())
            ids.append(world.key(account, "k2")[0].id)

    with hooked(outbox._Reading, "rows", after=meanwhile):
        while outbox.gather(outside.clock()):
            pass
    outside.tell()

    assert ids == [json.loads(each.body)["data"]["subject"]["id"] for each in outside.receiver.got]


def test_a_receiver_that_fails_is_tried_later_and_given_up(world: World, outside: Outside) -> None:
    """
    A receiver that answers an error is tried again after longer and longer pauses, while other events wait behind it; in
    the end the message is listed as failed. Somebody tries it again by hand, and it arrives.
    """
    path, secret = made(world, outside)
    outside.receiver.statuses = [500]
    account = world.account()
    world.key(account, "k1")
    world.key(account, "k2")
    outside.tell()
    first, second = sorted(deliveries(world, path), key=lambda each: -each["attempts"])
    assert (1, 500, "answered 500", 0) == (
        first["attempts"], first["last_status"], first["last_error"], second["attempts"],
    )  # fmt: skip
    assert (0, 1) == (outside.tell(seconds=5), len(outside.receiver.got))
    for _ in range(20):
        outside.tell(days=1)
    assert {("failed", 8)} == {(each["state"], each["attempts"]) for each in deliveries(world, path)}
    assert 2 == world.owner.get(path).json["failed"]
    outside.receiver.statuses = [200]
    outside.receiver.got.clear()
    again = world.owner.post(f"{path}/deliveries/{first['id']}/retry")
    outside.tell()

    assert (200, "pending") == (again.status, again.json["state"])
    assert [first["id"]] == [each.headers["webhook-id"] for each in outside.receiver.got]
    assert "key.issued" == _later(outside.receiver.got[0], secret)["type"]
    assert 409 == world.owner.post(f"{path}/deliveries/{first['id']}/retry").status
    assert 404 == world.owner.post(f"{path}/deliveries/msg_none/retry").status


def test_a_redirect_is_a_failure(world: World, outside: Outside) -> None:
    """
    A receiver that points elsewhere has not taken the message, and the other place is not called.
    """
    path, _ = made(world, outside)
    outside.receiver.statuses, outside.receiver.location = [302], f"{outside.receiver.url}/inside"
    world.key(world.account())
    outside.tell()

    assert ["/siem"] == [each.path for each in outside.receiver.got]
    assert ("pending", 302) == tuple(deliveries(world, path)[0][name] for name in ("state", "last_status"))


def test_what_the_operator_no_longer_allows_is_not_called(
    world: World, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    An address is judged at each call: one that was allowed when the webhook was made is not called afterwards.
    """
    from dataclasses import replace

    from django.conf import settings

    path, _ = made(world, outside)
    world.key(world.account())
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, egress_allow=()))
    outside.tell()

    assert [] == outside.receiver.got
    assert "not public" in deliveries(world, path)[0]["last_error"]


def test_a_secret_is_rotated_without_a_gap(world: World, outside: Outside) -> None:
    """
    After a rotation both secrets verify until the overlap ends; the one before never again. With an overlap of 0 it ends
    at once.
    """
    path, old = made(world, outside)
    account = world.account()
    answer = world.owner.post(f"{path}/rotate", {"overlap": "1h"})
    new = answer.json["secret"]
    world.key(account, "k1")
    outside.tell()
    world.key(account, "k2")
    outside.tell(hours=1)
    during, after = outside.receiver.got

    assert (201, True) == (answer.status, new != old)
    assert ["key.issued"] * 3 == [
        each["type"] for each in (read(during, old), read(during, new), _later(after, new))
    ]
    with pytest.raises(WebhookVerificationError):
        _later(after, old)
    assert 400 == world.owner.post(f"{path}/rotate", {"overlap": "8d"}).status


def _later(received: Received, secret: str) -> JSON:
    """Read what was sent at a later time: the signature alone is checked."""
    from datetime import UTC, datetime

    at = datetime.fromtimestamp(int(received.headers["webhook-timestamp"]), UTC)
    signed = Verifier(secret).sign(received.headers["webhook-id"], at, received.body.decode())
    if signed not in received.headers["webhook-signature"].split(" "):
        raise WebhookVerificationError("no signature fits")
    found: JSON = json.loads(received.body)
    return found


def test_secrets_are_sealed_and_told_once(world: World, outside: Outside) -> None:
    """
    No column holds a secret, no answer but the first one tells it, and a repeated call is told none.
    """
    body = {"name": "siem", "url": outside.receiver.url, "events": ["*"]}
    first = world.owner.post("/v1/webhooks", body, {"Idempotency-Key": "one"})
    again = world.owner.post("/v1/webhooks", body, {"Idempotency-Key": "one"})
    secret = first.json["secret"]
    row = Webhook.objects.get(id=first.json["webhook"]["id"])
    import base64

    assert (True, None) == (secret.startswith("whsec_"), again.json["secret"])
    assert first.json["webhook"] == again.json["webhook"]
    assert base64.b64decode(secret[6:]) not in bytes(row.sealed)
    assert secret not in world.owner.get("/v1/webhooks").text + world.owner.get("/v1/audit-events").text


def test_disabled_and_deleted_ones_are_not_called(world: World, outside: Outside) -> None:
    """
    A disabled webhook gets nothing, also later of that time, but a test; an enabled one goes on; a deleted one is gone.
    """
    path, _ = made(world, outside)
    account = world.account()
    world.owner.post(f"{path}/disable")
    world.key(account, "k1")
    outside.tell()
    tested = world.owner.post(f"{path}/test")
    outside.tell()
    world.owner.post(f"{path}/enable")
    outside.tell()
    key, _ = world.key(account, "k2")
    outside.tell()
    world.key(account, "k3")
    outbox.gather(outside.clock())
    deleted = world.owner.delete(path)
    outside.tell()
    got = [json.loads(each.body) for each in outside.receiver.got]

    assert (200, 200, 404) == (tested.status, deleted.status, world.owner.get(path).status)
    assert [("webhook.tested", path.rpartition("/")[2]), ("key.issued", key.id)] == [
        (each["type"], each["data"]["subject"]["id"]) for each in got
    ]
