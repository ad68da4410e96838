"""Polls of nodes as they are served: from memory and together, with the answers that each would get by itself."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.api.polling_nodes import Node, Served
from tests.node.wire import Wire as Raw
from tests.support.installation import Installation
from tests.support.processes import wait_for
from tests.support.wire import Reply

MANY = 80
#: Polls are held for so long, which is more than anything else takes here: what comes sooner was not waited for.
HELD = 20.0


@pytest.fixture
def served(installation: Installation) -> Served:
    """The installation of this module, where leases are so long that polls may be held for ``HELD``."""
    found = Served(installation)
    found.admin.call("PATCH", "/v1/policy", {"set": {"freshness.lease_seconds": 8 * HELD}})
    return found


def test_from_memory_or_not_it_is_the_same_answer(served: Served) -> None:
    """
    The first poll of a node is answered by itself, later ones from memory: with the same fields and the same
    headers that say how an answer is to be treated.
    """
    node = served.node()
    first = node.take()
    later = [node.take() for _ in range(3)]
    said = ("content-type", "cache-control", "x-content-type-options")

    assert [200] * 4 == [each.status for each in (first, *later)]
    assert [first.body.keys()] * 3 == [each.body.keys() for each in later]
    assert [[first.headers[name] for name in said]] * 3 == [[e.headers[name] for name in said] for e in later]
    assert 4 == len({each.headers["retinue-request-id"] for each in (first, *later)})
    assert ["vary" in first.headers, "vary" in later[-1].headers] == [True, False]  # who has answered


def test_after_a_start_a_poll_is_held_though_nothing_changes(served: Served) -> None:
    """
    The process has heard of no commit yet: the first poll is held for its time, later ones come from memory.
    """
    node = served.node().catch_up()
    served.installation.stop()
    served.installation.start()
    node.wire.close()
    began = time.monotonic()
    node.poll(wait=0.5)
    held = time.monotonic() - began

    assert held > 0.4
    assert "vary" not in node.poll().headers


def test_held_polls_hold_no_thread_and_a_commit_answers_them(served: Served) -> None:
    """
    Eighty polls are held; the control plane has hardly a thread more, other calls go on, and a change is
    with all of them at once.
    """
    nodes = [served.node() for _ in range(MANY)]
    for node in nodes:
        node.catch_up()
    for node in nodes:
        node.take()
    before, found, ends = served.threads, list[Reply](), list[float]()

    def hold(node: Node) -> None:
        found.append(node.poll(wait=HELD))
        ends.append(time.monotonic())

    with ExitStack() as stack:
        for node in nodes:
            thread = threading.Thread(target=hold, args=(node,))
            thread.start()
            stack.callback(thread.join)
        time.sleep(0.4)
        during = served.threads
        served.admin.close()  # nothing was asked for a while
        assert 200 == served.admin.call("GET", "/v1/me").status
        began = time.monotonic()
        assert 201 == served.change().status

    assert during - before < 10
    assert {200} == {each.status for each in found}
    assert [] == [each.body for each in found if not each.body["changes"]]
    assert max(ends) - began < HELD / 2


def test_a_removed_node_is_refused_at_once_also_while_it_is_held(served: Served) -> None:
    """
    What is remembered of it ends with the commit: the held poll gets 410, and so do later ones.
    """
    node = served.node().catch_up()
    found: list[Reply] = []
    thread = threading.Thread(target=lambda: found.append(node.poll(wait=HELD)))
    thread.start()
    time.sleep(0.3)
    began = time.monotonic()
    served.admin.call("DELETE", f"/v1/nodes/{node.id}", headers={"Prefer": "wait=0"})
    thread.join()

    assert [(410, "node_removed")] * 2 == [(e.status, e.body["code"]) for e in (found[0], node.poll())]
    assert time.monotonic() - began < HELD / 2


def test_a_replaced_follower_is_refused_while_it_is_held(served: Served) -> None:
    """
    Another incarnation of the node polls: the one before gets 409.
    """
    node = served.node().catch_up()
    found: list[Reply] = []
    thread = threading.Thread(target=lambda: found.append(node.poll(wait=HELD)))
    thread.start()
    time.sleep(0.3)
    other = Node(node.url, node.id, node.name, node.token, node.applied)
    other.poll()
    thread.join()

    assert [(409, "superseded")] * 2 == [(e.status, e.body["code"]) for e in (found[0], node.poll())]
    assert 200 == other.poll().status


def _with(token: str) -> Callable[[Node], Reply]:
    def poll(node: Node) -> Reply:
        return node.poll({"Authorization": token.format(node.token)})

    return poll


@pytest.mark.parametrize(
    ("poll", "status"),
    [
        (_with("Bearer {}A"), 401),
        (_with("Basic {}"), 401),
        (_with("Bearer {}, Bearer x"), 401),
        (lambda node: node.poll({"Host": "evil.example"}), 400),
        (lambda node: node.poll({"Content-Type": "text/plain"}), 415),
        (lambda node: node.poll(wait=-1), 400),
        (lambda node: node.poll(node="another"), 403),
        (lambda node: node.poll(relay=True), 403),
        (lambda node: node.poll(unheard=1), 400),
        (lambda node: node.poll(applied={"epoch": 1, "revision": -1, "mark": ""}), 400),
        (lambda node: node.wire.call("POST", "/v1/feed/poll?x=1", node.said()), 400),
        (lambda node: node.wire.call("POST", "/v1/feed/poll"), 400),
        (lambda node: node.wire.call("GET", "/v1/feed/poll"), 405),
    ],
)
def test_what_is_refused_is_refused_from_memory_too(
    poll: Callable[[Node], Reply], status: int, served: Served
) -> None:
    """
    A node that is remembered sends what it may not: the same refusal as for any other, as a problem. It goes
    on polling afterwards.
    """
    node = served.node().catch_up()
    found = poll(node)

    assert status == found.status
    assert found.headers["content-type"].startswith("application/problem+json")
    assert 200 == node.poll().status


def test_a_node_that_is_ahead_is_found_out(tmp_path: Path) -> None:
    """
    What belongs to no history of this database raises the epoch, also from a node that is remembered.
    """
    installation = Installation(tmp_path / "home")
    installation.init()
    installation.start("--only", "control")
    try:
        node = Served(installation).node().catch_up()
        epoch = node.applied["epoch"]
        node.applied |= {"mark": "f" * 16}
        node.poll()

        assert epoch < node.poll().body["epoch"]
    finally:
        installation.stop()


def test_bodies_that_never_come_keep_no_node_waiting(served: Served) -> None:
    """
    A hundred polls announce a body and send none: nodes are answered meanwhile, and those are closed in time.
    """
    node = served.node().catch_up()
    token = f"Authorization: Bearer {node.token}\r\n".encode()
    head = b"POST /v1/feed/poll HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    before = served.threads
    with ExitStack() as stack:
        open_ = [stack.enter_context(Raw(served.installation.port, timeout=60)) for _ in range(100)]
        for number, each in enumerate(open_):
            each.send(head + (token if number % 2 else b"") + b"Content-Length: 100\r\n\r\n")
        time.sleep(0.3)
        began = time.monotonic()
        statuses = [node.poll().status, served.node().poll().status]
        took, during = time.monotonic() - began, served.threads
        ended = [each.ended_after() for each in open_]

    assert [200, 200] == statuses
    assert took < 3
    assert during - before < 10
    assert max(ended) < 20


def test_a_poll_in_parts_is_read(served: Served) -> None:
    """
    Head and body come in pieces.
    """
    node = served.node().catch_up()
    body = json.dumps(node.said()).encode()
    head = (
        f"POST /v1/feed/poll HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {node.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    with Raw(served.installation.port) as wire:
        for part in (head[:40], head[40:], body[:10], body[10:]):
            wire.send(part)
            time.sleep(0.05)

        assert 200 == wire.reply().status


def test_many_new_nodes_at_once_are_all_answered(served: Served) -> None:
    """
    After a start all nodes are new to the process: none is refused, however they come together.
    """
    nodes = [served.node() for _ in range(40)]
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda node=node: found.append(node.poll(wait=0.2).status)) for node in nodes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [200] * 40 == found
    wait_for("a remembered one", lambda: "vary" not in nodes[0].take().headers, seconds=60)
