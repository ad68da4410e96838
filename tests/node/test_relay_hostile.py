"""A relay's listener and what strangers, broken nodes and impatient ones may do to it."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from tests.node.control import Control
from tests.node.following import following
from tests.node.tree import Tree, answers, applied, decides, growing
from tests.support import watch
from tests.support.processes import wait_for

POLL = "/v1/feed/poll"


@pytest.fixture
def tree(control: Control, tmp_path: Path) -> Tree:
    """A control plane with an organization, and no node yet."""
    return growing(control, tmp_path)


def said(port: int, *parts: bytes, seconds: float = 8.0) -> bytes:
    """Send parts on one connection; return all that is answered until it ends, or for some time."""
    with socket.create_connection(("127.0.0.1", port), seconds) as opened:
        for part in parts:
            opened.sendall(part)
            time.sleep(0.1)
        opened.shutdown(socket.SHUT_WR)
        found = b""
        try:
            while more := opened.recv(65_536):
                found += more
        except (TimeoutError, ConnectionResetError):
            pass
    return found


def request(token: str, body: bytes, *fields: str, path: str = POLL) -> bytes:
    """Return a POST as bytes."""
    lines = [f"POST {path} HTTP/1.1", "Host: relay", f"Authorization: Bearer {token}", *fields]
    if not any(field.lower().startswith(("content-length", "transfer-encoding")) for field in fields):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def test_what_is_no_poll_is_refused_and_good_ones_go_on(tree: Tree, control: Control) -> None:
    """
    Garbage, bodies that are too large, cut, or no JSON, fields that no follower sends, and chunks are each refused
    with their status; the node that follows goes on all the time.
    """
    relay, child, other = tree.enrol("relay", relay=True), tree.enrol("child"), tree.enrol("other")
    token = other.token.reveal()
    with tree.relay(relay), following(child.home, tree.url) as running:
        wait_for("the child decides", lambda: decides(child))
        found = [
            said(tree.port, sent)[:12]
            for sent in (
                b"\xff\x00 no HTTP\r\n\r\n",
                request(token, b"", "Content-Length: 400000"),
                request(token, b"{not JSON"),
                request(token, b"[" * 200),
                request(token, b"{}", "Transfer-Encoding: chunked"),
                request(token, b"{}", path="/v1/keys"),
            )
        ]
        bodies = (
            {"node": "other", "incarnation": "x", "applied": {"epoch": 1, "revision": 1}},
            {"node": "other", "incarnation": "a" * 32, "applied": {"epoch": -1, "revision": 1}},
            {"node": "child", "incarnation": "a" * 32, "applied": {"epoch": 1, "revision": 1}},
            {"node": "other", "incarnation": "a" * 32, "applied": {"epoch": 1, "revision": 1}, "relay": True},
            {"node": "other", "incarnation": "a" * 32, "applied": {"epoch": 1, "revision": 1}, "schema": 99},
        )
        statuses = [answers(tree.port, POLL, token, "POST", body) for body in bodies]
        control.change("still")
        wait_for("the child goes on", lambda: applied(child) == control.truth.head)
        assert running.process.poll() is None

    expected = [b"400", b"413", b"400", b"400", b"411", b"404"]
    assert [b"HTTP/1.1 " + status for status in expected] == found
    assert [400, 400, 403, 403, 400] == statuses


def test_who_does_not_wait_for_an_answer_is_ended(tree: Tree, control: Control) -> None:
    """
    A second request on a connection whose poll is held is not read as one: the connection ends, and nothing that was
    held there is mixed up with it. A node that hangs up while its poll is held costs nothing.
    """
    relay, child = tree.enrol("relay", relay=True), tree.enrol("child")
    with tree.relay(relay):
        tree.ready()
        at = f'{{"epoch":1,"revision":{applied(relay)}}}'
        body = f'{{"node":"child","incarnation":"{"a" * 32}","applied":{at},"wait":5}}'.encode()
        held = request(child.token.reveal(), body)
        seconds = watch.start()
        twice = said(tree.port, held + held)
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", tree.port), 60) as opened:
                opened.sendall(held)
        alone = said(tree.port, held)

        assert twice.count(b"HTTP/1.1 200") <= 1
        assert b"HTTP/1.1 200" in alone
        assert seconds() < 20
        assert 200 == answers(tree.port, "/readyz")
