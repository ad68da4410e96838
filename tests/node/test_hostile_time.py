"""Peers that take their time, or ours: each is ended by its own deadline, while good traffic goes on."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from tests.node.traffic import LIMIT_SECONDS, GoodTraffic
from tests.node.wire import Wire, request
from tests.node.world import Node
from tests.support import watch
from tests.support.processes import wait_for

pytestmark = pytest.mark.usefixtures("good_traffic")
HOST = b"Host: node\r\n"


def _seconds_until_closed(node: Node, first: bytes, dribble: bytes = b"") -> float:
    """Send ``first``, then a byte a second of ``dribble``; return when the node ended the connection.

    What the machine was late meanwhile is not counted: :mod:`tests.support.watch`.
    """
    with Wire(node.port, timeout=30) as wire:
        wire.send(first)
        started, seconds = time.monotonic(), watch.start()
        wire.socket.settimeout(1.0)
        rest = list(dribble)
        while time.monotonic() - started < 40:
            try:
                if not wire.socket.recv(65536):
                    break
            except TimeoutError:
                if rest:
                    wire.send(bytes([rest.pop(0)]))
            except ConnectionResetError:
                break
        assert time.monotonic() - started > 3.0
        return seconds()


@pytest.fixture(scope="module")
def slow(node: Node) -> dict[str, float]:
    """How long the node bears each kind of slow peer; all of them at the same time."""
    probes = {
        "header": (b"", b"GET /healthz HTTP/1.1\r\nHost: node\r\nX: " + b"a" * 30),
        "silent": (b"", b""),
        "idle": (request("/healthz"), b""),
        "body": (b"POST /v1/verify HTTP/1.1\r\n" + HOST + b"Content-Length: 60\r\n\r\n", b""),
        "slow body": (b"POST /v1/verify HTTP/1.1\r\n" + HOST + b"Content-Length: 60\r\n\r\n", b" " * 30),
    }
    seconds: dict[str, float] = {}

    def measure(name: str) -> None:
        seconds[name] = _seconds_until_closed(node, *probes[name])

    threads = [threading.Thread(target=measure, args=(name,)) for name in probes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seconds


@pytest.mark.parametrize("kind", ["header", "silent", "idle", "body", "slow body"])
def test_slow_peer_is_closed_in_time(slow: dict[str, float], kind: str) -> None:
    """
    Probes 1 and 2: a dribbled header and silence end within 5 s; so do idle keep-alive and an unsent body.
    """
    assert slow[kind] < LIMIT_SECONDS + 0.5


def test_slow_reader_is_cut_off(node: Node) -> None:
    """
    A peer that asks for much and reads nothing is not buffered for: it is closed, others are answered.
    """
    with Wire(node.port, timeout=30, receive_buffer=4096) as wire:
        wire.socket.setblocking(False)
        block = request("/metrics") * 200
        started = time.monotonic()
        closed = False
        while time.monotonic() - started < 100 and not closed:
            try:
                wire.socket.send(block)
            except BlockingIOError:
                time.sleep(0.05)
            except (ConnectionResetError, BrokenPipeError):
                closed = True

    assert closed


def test_connections_that_end_in_the_middle(node: Node) -> None:
    """
    Peers that vanish at any byte of a request leave nothing behind.
    """
    data = request("/v1/verify", method="POST", body=b'{"token":"x"}')
    for cut in range(1, len(data), 7):
        with socket.create_connection(("127.0.0.1", node.port), timeout=60) as connection:
            connection.sendall(data[:cut])

    assert node.is_good()


def test_unsent_bodies_hurt_nobody(node: Node, good_traffic: GoodTraffic) -> None:
    """
    Addition 1: 200 connections that announce a body and send none; good traffic is answered as before.
    """
    before = good_traffic.answered
    wires = [Wire(node.port) for _ in range(200)]
    for wire in wires:
        wire.send(b"POST /v1/verify HTTP/1.1\r\n" + HOST + b"Content-Length: 60\r\n\r\n")
    seconds = watch.start()
    wait_for("good traffic goes on", lambda: good_traffic.answered >= before + 20)
    took = seconds()
    for wire in wires:
        wire.socket.close()

    assert took < LIMIT_SECONDS
