"""The way out for ``requests``: where it leads, and that each call ends."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests

from retinue.network import networks
from retinue.server import egress
from retinue.server.egress_session import Way

LOOPBACK = networks("127.0.0.0/8")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@contextmanager
def _served(answer: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[object]]]:
    """Answer each connection on loopback; yields the origin, and who has connected."""
    seen: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, peer = listening.accept()
                except OSError:
                    return
                seen.append(peer)
                with connection:
                    try:
                        answer(connection)
                    except OSError:
                        continue

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", seen
        listening.shutdown(socket.SHUT_RDWR)


def _at_once(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(ANSWER)


def _dribbling(connection: socket.socket) -> None:
    connection.recv(65536)
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1000:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def _get(url: str, way: Way) -> int:
    session = requests.Session()
    session.trust_env = False
    for prefix in ("http://", "https://"):
        session.mount(prefix, way)
    with way.timed():
        return session.get(url, timeout=5, allow_redirects=False).status_code


def test_only_what_was_named_or_allowed_is_called() -> None:
    """
    The named origin is called though it is not public; another port of that host is not, before anybody has heard
    of it, unless the operator allows its network.
    """
    with _served(_at_once) as (named, _), _served(_at_once) as (other, seen):
        assert 200 == _get(named, Way(named, ()))
        for url in (other, other.replace("127.0.0.1", "localhost"), other.replace("127.0.0.1", "127.1")):
            with pytest.raises(requests.ConnectionError):
                _get(url, Way(named, ()))
        assert [] == seen
        assert 200 == _get(other, Way(named, LOOPBACK))


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A proxy would connect to what must not be called: none hears of a call, and what is not allowed is refused.
    """
    with _served(_at_once) as (named, _), _served(_at_once) as (proxy, heard):
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        way = Way(named, ())
        session = requests.Session()
        session.mount("http://", way)
        with way.timed():
            assert 200 == session.get(named, timeout=5).status_code
        with pytest.raises(requests.ConnectionError), way.timed():
            session.get("http://127.0.0.2:9/", timeout=5)

    assert [] == heard


def test_a_call_that_dribbles_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A byte now and then keeps no thread beyond the time of a call.
    """
    monkeypatch.setattr(egress, "TOTAL_SECONDS", 0.4)
    began = time.monotonic()
    with _served(_dribbling) as (named, _), pytest.raises(requests.ConnectionError):
        _get(named, Way(named, ()))

    assert time.monotonic() - began < 3
