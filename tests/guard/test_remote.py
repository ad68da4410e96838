"""A guard that asks a node over HTTP: whose answer it takes, and what it asks with."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from retinue.guard import Guard


class _Handler(BaseHTTPRequestHandler):
    """Lets everybody in who has a token, and notes by which connection it was asked."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, int]]

    def do_POST(self) -> None:
        token = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["token"]
        self.asked.append((token, self.client_address[1]))
        account = {"id": token, "kind": "service_account", "name": token}
        body = json.dumps({"allowed": True, "account": account}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def node() -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """A node's address, and what it was asked: tokens, and the ports that they came from."""
    asked: list[tuple[str, int]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"asked": asked}))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_fork_has_a_connection_of_its_own(node: tuple[str, list[tuple[str, int]]]) -> None:
    """
    Else two processes read each other's answers: one token would be let in for another's permissions.
    """
    url, asked = node
    guard = Guard(node_url=url)
    guard.verify("before")
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if guard.verify("child").id == "child" else 1)
        except BaseException:
            os._exit(2)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    guard.verify("after")
    guard.close()
    ports = dict(asked)

    assert 0 == status
    assert ports["before"] == ports["after"] != ports["child"]


def test_an_answer_that_was_not_read_is_nobodys(
    node: tuple[str, list[tuple[str, int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A question that is broken off (by a signal, by a timeout of the server) leaves no answer for the next one.
    """
    url, asked = node
    guard = Guard(node_url=url)
    guard.verify("before")

    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("http.client.HTTPConnection.getresponse", broken)
        with pytest.raises(KeyboardInterrupt):
            guard.verify("broken")
    after = guard.verify("after")
    guard.close()
    ports = dict(asked)

    assert "after" == after.id
    assert ports["before"] != ports["after"]
