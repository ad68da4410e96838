"""The listener keeps the meaning of header blocks: an answer must never depend on what came before it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retinue.node.exchange import Head, Listener
from retinue.node.http import Connection
from retinue.node.settings import from_environment
from retinue.node.worker import Worker
from tests.node.world import World, build

_VARIES = re.compile(rb"Date: [^\r]+|req_[0-9A-Za-z]+")


class _Loop:
    """The part of an event loop that the listener uses; what is called soon is called after each chunk."""

    def __init__(self) -> None:
        self.soon: list[Any] = []

    def time(self) -> float:
        return 1.0

    def call_soon(self, act: Any) -> None:
        self.soon.append(act)


class _Transport:
    def __init__(self) -> None:
        self.sent = b""
        self.ended = False

    def get_extra_info(self, _name: str) -> tuple[str, int]:
        return "127.0.0.1", 4711

    def write(self, data: bytes) -> None:
        self.sent += data

    def write_eof(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Worker]]:
    """A worker that is asked in process, with its known accounts."""
    home = tmp_path_factory.mktemp("heads") / "home"
    world = build(home)
    worker = Worker(from_environment({"RETINUE_HOME": str(home), "RETINUE_BENCH": "1"}), 0)
    worker._watch()
    yield world, worker
    worker.close()


def _requests(world: World) -> list[bytes]:
    token = world.token("reader").encode()
    host = b"Host: node.test\r\n"
    asked = b'{"token":"%b","need":["report:read"]}' % token
    refused = b'{"token":"%b","need":["report:write"]}' % token
    length = b"Content-Length: %d\r\n\r\n"
    verify = b"POST /v1/verify HTTP/1.1\r\n" + host
    return [
        b"GET /hello HTTP/1.1\r\n" + host + b"\r\n",
        verify + length % len(asked) + asked,
        verify + length % len(refused) + refused,
        verify + b"Expect: 100-continue\r\n" + length % len(asked) + asked,
        verify + length % 2 + b"{}",
        verify + length % 0,
        verify + b"\r\n",
        b"GET /v1/forward-auth/report:read HTTP/1.1\r\n" + host + b"Authorization: Bearer " + token + b"\r\n\r\n",
        b"GET /v1/forward-auth/report:read HTTP/1.1\r\n" + host + b"\r\n",
        b"GET /nowhere HTTP/1.1\r\n" + host + b"\r\n",
        b"HEAD /healthz HTTP/1.1\r\n" + host + b"\r\n",
        b"GET http://node.test/healthz HTTP/1.1\r\n" + host + b"\r\n",
        b"GET /healthz HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n",
        b"GET /healthz HTTP/1.0\r\n" + host + b"\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"nonsense\r\n\r\n",
    ]  # fmt: skip


def _answers(
    worker: Worker, kept: dict[bytes, Head] | None, chunks: list[bytes], *, draining: bool = False
) -> tuple[bytes, bool]:
    """Send chunks over one new connection; with ``None`` nothing is ever kept."""
    loop, transport = _Loop(), _Transport()
    listener = Listener(worker._routes, cast(asyncio.AbstractEventLoop, loop), 10)
    listener.draining = draining
    connection = Connection(listener)
    connection.connection_made(cast(asyncio.BaseTransport, transport))
    for chunk in chunks:
        listener.heads = {} if kept is None else kept
        connection.data_received(chunk)
        while loop.soon:
            loop.soon.pop(0)()
    connection.connection_lost(None)
    return _VARIES.sub(b"", transport.sent), transport.ended


def _cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({place % (len(data) + 1) for place in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_answers_do_not_depend_on_what_is_kept(served: tuple[World, Worker], data: st.DataObject) -> None:
    """
    Any requests, cut into any pieces, get the same bytes whether header blocks are kept or not.
    """
    world, worker = served
    known = _requests(world)
    picked = data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=8))
    whole = data.draw(st.booleans())
    cuts = data.draw(st.lists(st.integers(0, 4000), max_size=6))
    chunks = picked if whole else _cut(b"".join(picked), cuts)
    kept: dict[bytes, Head] = {}
    for each in known:
        _answers(worker, kept, [each])

    assert _answers(worker, None, chunks) == _answers(worker, kept, chunks)


def test_a_block_is_kept(served: tuple[World, Worker]) -> None:
    """
    What the comparison relies on: plain requests are kept, those with a credential never.
    """
    world, worker = served
    kept: dict[bytes, Head] = {}
    for each in _requests(world):
        _answers(worker, kept, [each])

    assert any(block.startswith(b"POST /v1/verify") for block in kept)
    assert any(block.startswith(b"GET /hello") for block in kept)
    assert not any(b"uthorization" in block or b"onnection" in block for block in kept)


def test_a_block_without_its_end_is_not_a_request(served: tuple[World, Worker]) -> None:
    """
    A kept block that comes without the empty line is not answered before that line has come.
    """
    _, worker = served
    block = b"GET /hello HTTP/1.1\r\nHost: node.test"
    kept: dict[bytes, Head] = {}
    whole, _ = _answers(worker, kept, [block + b"\r\n\r\n"])

    assert block in kept
    assert b"" == _answers(worker, kept, [block])[0]
    assert whole == _answers(worker, kept, [block, b"\r\n\r\n"])[0]


@pytest.mark.parametrize("before", [b"", b"GET /hello HTTP/1.1\r\nHost: node.test\r\n\r\n"])
def test_a_body_that_looks_like_a_kept_request_is_a_body(served: tuple[World, Worker], before: bytes) -> None:
    """
    While a body is awaited, bytes that equal a kept request are that body: nothing is smuggled.
    """
    _, worker = served
    hidden = b"GET /hello HTTP/1.1\r\nHost: node.test\r\n\r\n"
    head = b"POST /v1/verify HTTP/1.1\r\nHost: node.test\r\nContent-Length: %d\r\n\r\n" % len(hidden)
    kept: dict[bytes, Head] = {}
    greeting, _ = _answers(worker, kept, [hidden])
    answers, _ = _answers(worker, kept, [before + head, hidden])

    assert greeting.endswith(b"hello\n")
    assert b"Retinue-Error: bad_json" in answers
    assert (1 if before else 0) == answers.count(b"hello\n")


def test_a_kept_block_is_told_the_end_when_the_worker_goes_down(served: tuple[World, Worker]) -> None:
    """
    A worker that goes down ends a connection with its next answer, kept block or not.
    """
    _, worker = served
    request = b"GET /hello HTTP/1.1\r\nHost: node.test\r\n\r\n"
    kept: dict[bytes, Head] = {}
    _answers(worker, kept, [request])

    answer, ended = _answers(worker, kept, [request], draining=True)

    assert ended
    assert b"Connection: close" in answer


def test_kept_blocks_are_bounded(served: tuple[World, Worker]) -> None:
    """
    A stranger who sends ever new header blocks does not make the worker grow.
    """
    _, worker = served
    kept: dict[bytes, Head] = {}
    for number in range(3 * Head.MAX_KEPT):
        _answers(worker, kept, [b"GET /hello HTTP/1.1\r\nHost: h%d\r\n\r\n" % number])

    assert 0 < len(kept) <= Head.MAX_KEPT
