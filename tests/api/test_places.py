"""Nobody holds all threads: not with bodies that never come, not with polls, not with waits for receipts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from retinue.server.api import limits
from retinue.server.api.limits import Places
from retinue.server.nodes.models import Lease
from retinue.server.nodes.wake import MAX_HELD_EACH, Wake
from tests.api.raw import ACCOUNTS
from tests.api.world import World
from tests.node.wire import Wire
from tests.storage.estate import Follower, Task
from tests.support.installation import Installation, http
from tests.support.processes import wait_for

#: More than there are threads, so that one connection too many for each would be seen.
MANY = 160
#: Until the server waits for what was announced; it says so to nobody.
SETTLE_SECONDS = 3.0


@contextmanager
def unsent_bodies(installation: Installation, path: str, tokens: list[str], count: int) -> Iterator[None]:
    """Announce bodies and send their first byte only, with the tokens in turn."""
    with ExitStack() as stack:
        for number in range(count):
            wire = stack.enter_context(Wire(installation.port, timeout=60))
            wire.send(
                f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n"
                "Content-Type: application/json\r\n"
                f"Authorization: Bearer {tokens[number % len(tokens)]}\r\n\r\n{{".encode()
            )
        time.sleep(SETTLE_SECONDS)
        yield


def test_a_place_is_of_one_party_and_of_all() -> None:
    """
    One party has its share, all together have the total, and what is given back can be taken.
    """
    places = Places(3, 2)
    with ExitStack() as stack:
        taken = [stack.enter_context(places.take(party)) for party in "aaabc"]
    with places.take("c") as again:
        taken.append(again)

    assert [True, True, False, True, False, True] == taken


def test_bodies_that_a_node_never_sends_leave_threads(installation: Installation) -> None:
    """
    One node credential announces more bodies than there are threads: others are answered.
    """
    made = http(
        "POST", f"{installation.url}/v1/nodes", token=installation.token(), body={"name": "never-sends"}
    )
    assert 201 == made.status
    with unsent_bodies(installation, "/v1/feed/requests", [made.json()["token"]], MANY):
        answer = http("GET", f"{installation.url}/v1/me", token=installation.token())

    assert 200 == answer.status


def test_bodies_that_two_callers_never_send_leave_places(installation: Installation) -> None:
    """
    Two accounts announce more bodies than there are places: a third caller's body is read.
    """
    me = http("GET", f"{installation.url}/v1/me", token=installation.token()).json()
    tokens = []
    for name in ("never-sends-1", "never-sends-2"):
        body = {"name": name, "purpose": "a test", "owners": [me["principal"]["id"]],
                "permissions": ["service_account:create"], "justification": "a test"}  # fmt: skip
        made = http("POST", f"{installation.url}{ACCOUNTS}", token=installation.token(), body=body).json()
        address = f"{installation.url}{ACCOUNTS}/{made['id']}/keys"
        key = http("POST", address, token=installation.token(), body={"name": "k"})
        tokens.append(key.json()["token"])
    body = {"name": "third", "purpose": "a test", "owners": [me["principal"]["id"]]}
    with unsent_bodies(installation, ACCOUNTS, tokens, 2 * limits.BODIES.total):
        answer = http("POST", f"{installation.url}{ACCOUNTS}", token=installation.token(), body=body)

    assert 201 == answer.status


def test_polls_of_one_node_that_are_held() -> None:
    """
    One node has two polls held; its third is answered at once, another node's is held.
    """
    wake = Wake()
    ticket = wake.ticket()
    tasks = [Task(lambda: wake.hold(ticket, 0, 30.0, "n1")) for _ in range(MAX_HELD_EACH)]
    wait_for("two are held", lambda: wake.held == MAX_HELD_EACH)
    wake.hold(ticket, 0, 30.0, "n1")
    tasks.append(Task(lambda: wake.hold(ticket, 0, 30.0, "n2")))
    wait_for("the other node's is held", lambda: wake.held == MAX_HELD_EACH + 1)
    wake.close()
    for task in tasks:
        task.result()

    assert 0 == wake.held


def test_a_change_without_a_place_to_wait_is_answered_pending(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    As many wait for receipts as may: one more is 202 with its receipt at once, and so is a look at that.
    """
    Lease.objects.all().delete()
    key, _ = world.key(world.account())
    follower = Follower.create()
    follower.catch_up()
    follower.poll()
    monkeypatch.setattr(limits, "WAITING_CHANGES", Places(0, 1))
    answer = world.owner.post(f"/v1/keys/{key.id}/revoke", {})
    later = world.owner.get(answer.headers["location"], {"Prefer": "wait=10"})

    assert (202, "pending", "revoked") == (
        answer.status,
        answer.json["receipt"]["state"],
        answer.json["state"],
    )
    assert (200, "pending") == (later.status, later.json["state"])
