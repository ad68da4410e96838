"""Too much of everything: header, header lines, URL, body. Refused at the bound, while good traffic goes on."""

from __future__ import annotations

import pytest

from tests.node.traffic import probe
from tests.node.wire import Wire, exchange, request
from tests.node.world import Node
from tests.support import watch

pytestmark = pytest.mark.usefixtures("good_traffic")
HOST = b"Host: node\r\n"


def test_header_block_of_a_megabyte(node: Node) -> None:
    """
    Probe 3: a header block above 16 KiB is refused.
    """
    assert 431 == probe(node, b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * (1 << 20) + b"\r\n\r\n").status


@pytest.mark.parametrize(("size", "status"), [(15_000, 200), (16_500, 431)])
def test_header_block_limit(node: Node, size: int, status: int) -> None:
    """
    The limit is 16 KiB: what is below passes, what is above does not, in one piece or in many.
    """
    data = b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: " + b"a" * size + b"\r\n\r\n"
    with Wire(node.port) as wire:
        for start in range(0, len(data), 4000):
            wire.send(data[start : start + 4000])
        in_pieces = wire.reply().status

    assert status == in_pieces
    assert status == exchange(node.port, data).status


@pytest.mark.parametrize(("count", "status"), [(63, 200), (64, 431), (20_000, 431)])
def test_number_of_headers(node: Node, count: int, status: int) -> None:
    """
    Probe 4: 64 header lines pass, more are refused; 20,000 too. (Host is one of them.)
    """
    lines = b"".join(b"X%d: a\r\n" % number for number in range(count))

    assert status == exchange(node.port, b"GET /healthz HTTP/1.1\r\n" + HOST + lines + b"\r\n").status


@pytest.mark.parametrize(("size", "statuses"), [(1 << 20, {414, 431}), (8300, {414}), (8000, {404})])
def test_long_url(node: Node, size: int, statuses: set[int]) -> None:
    """
    Probe 12: a URL above 8 KiB is refused.
    """
    assert exchange(node.port, b"GET /" + b"a" * size + b" HTTP/1.1\r\n" + HOST + b"\r\n").status in statuses


def test_huge_body_is_refused_unread(node: Node) -> None:
    """
    Probe 13: 20 MB are refused by the announcement alone, at once.
    """
    with Wire(node.port) as wire:
        passed = watch.start()
        wire.send(b"POST /v1/verify HTTP/1.1\r\n" + HOST + b"Content-Length: 20971520\r\n\r\n")
        reply = wire.reply()
        seconds = passed()

    assert (413, "too_large", "close") == (reply.status, reply.code, reply.fields["connection"])
    assert seconds < 1.0


def test_huge_body_that_is_sent_does_not_drown_the_refusal(node: Node) -> None:
    """
    A client that sends its 20 MB before it reads still gets the 413.
    """
    with Wire(node.port) as wire:
        wire.send(b"POST /v1/verify HTTP/1.1\r\n" + HOST + b"Content-Length: 20971520\r\n\r\n")
        wire.send(b"a" * 20971520)
        reply = wire.reply()

    assert 413 == reply.status


@pytest.mark.parametrize(("size", "status"), [(64 << 10, 400), ((64 << 10) + 1, 413)])
def test_body_limit(node: Node, size: int, status: int) -> None:
    """
    A body of 64 KiB is read (and is bad JSON here); one byte more is refused.
    """
    reply = node.get("/v1/verify", method="POST", body=b"a" * size)

    assert status == reply.status


def test_forward_auth_answers_without_the_body(node: Node) -> None:
    """
    Addition 1: forward-auth never waits for a body that the gateway announced.
    """
    token = node.world.token("reader")
    with Wire(node.port) as wire:
        wire.send(
            request(
                "/v1/forward-auth/report:read",
                f"Authorization: Bearer {token}",
                "Content-Length: 1000000",
                method="PUT",
            )
        )
        reply = wire.reply()

    assert (200, "close") == (reply.status, reply.fields["connection"])
