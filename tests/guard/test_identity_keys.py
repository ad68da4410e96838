"""The list of the nodes' keys: when it is read, and what an application does without one."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from retinue.guard.identity import Identities
from retinue.guard.identity_keys import FORGET_SECONDS, Keys
from retinue.node.identity import IdentityKey, load_or_create
from tests.guard.identities import NEED, jwks, key, refusal, signed

__all__ = ["key"]


class _Published:
    """A list of keys on a server, which can be changed and taken away."""

    def __init__(self) -> None:
        self.body: bytes | None = None
        self.asked = 0
        published = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                published.asked += 1
                assert self.path == "/v1/identity-keys"
                self.send_response(200 if published.body else 503)
                self.end_headers()
                self.wfile.write(published.body or b"")

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def published() -> Iterator[_Published]:
    """A running server with a list of keys."""
    running = _Published()
    thread = threading.Thread(target=running.server.serve_forever, args=(0.01,))
    thread.start()
    yield running
    running.server.shutdown()
    thread.join()
    running.server.server_close()


def _later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = time.monotonic() + seconds
    monkeypatch.setattr("retinue.guard.identity_keys.time.monotonic", lambda: now)


def test_keys_over_http(
    key: IdentityKey, published: _Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The list is read once; a key that is not in it makes it read again, once a second however many ask.
    """
    new = load_or_create(tmp_path / "new")
    published.body = jwks(key)
    identities = Identities(published.url)
    assert all(identities.caller(signed(key), NEED).name for _ in range(5))
    assert 1 == published.asked

    published.body = jwks(key, new)
    assert ["token_unknown"] * 9 == [refusal(identities, signed(new)) for _ in range(9)]
    assert 1 == published.asked
    _later(monkeypatch, 2)
    assert "etl" == identities.caller(signed(new), NEED).name
    assert 2 == published.asked


def test_a_key_that_was_taken_back(
    key: IdentityKey, published: _Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A key that is no longer listed is believed for a minute at most.
    """
    published.body = jwks(key)
    identities = Identities(published.url)
    text = signed(key)
    assert identities.caller(text, NEED).name
    published.body = jwks(load_or_create(tmp_path / "new"))
    _later(monkeypatch, 61)

    assert "token_unknown" == refusal(identities, text)


def test_without_a_list(key: IdentityKey, published: _Published, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Who never had a list answers 503; who had one goes on for an hour, and then believes nothing.
    """
    identities = Identities(published.url)
    assert "replica_stale" == refusal(identities, signed(key))
    _later(monkeypatch, 2)
    published.body = jwks(key)
    assert identities.caller(signed(key), NEED).name
    published.body = None
    _later(monkeypatch, 120)
    assert identities.caller(signed(key), NEED).name
    _later(monkeypatch, FORGET_SECONDS + 3)

    assert "replica_stale" == refusal(identities, signed(key))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "x", "x": "AA"}]}']
)
def test_a_list_that_is_none(key: IdentityKey, body: bytes, tmp_path: Path) -> None:
    """
    A damaged list is no list.
    """
    (tmp_path / "keys.json").write_bytes(body)

    assert "replica_stale" == refusal(Identities(tmp_path / "keys.json"), signed(key))


@pytest.mark.parametrize("url", ["ftp://x", "http://", "://x"])
def test_a_source_that_is_none(url: str) -> None:
    """
    A URL that is none is a mistake of the program.
    """
    with pytest.raises(ValueError, match="URL"):
        Keys(url)


def test_a_fork_while_the_list_is_read(key: IdentityKey, published: _Published) -> None:
    """
    The child reads it by itself: the thread that began to is not there.
    """
    published.body = jwks(key)
    identities = Identities(keys := Keys(published.url))
    text = signed(key)
    with keys._lock:
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if identities.caller(text, NEED).name == "etl" else 1)
            except BaseException:
                os._exit(2)
        assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_threads(key: IdentityKey, published: _Published) -> None:
    """
    Many threads at once wait for one list, and read it once.
    """
    published.body = jwks(key)
    identities = Identities(published.url)
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(identities.caller(signed(key), NEED).name))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ["etl"] * 16 == found
    assert 1 == published.asked
