"""The control plane as it is served: each probe, and each limit of a request, gets its answer on a raw socket."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.api.raw import ACCOUNTS, HOST, get, send
from tests.node.wire import Wire
from tests.support.installation import Installation, http


@pytest.fixture(autouse=True)
def good_traffic(installation: Installation) -> Iterator[None]:
    """After each probe the server still answers."""
    yield
    assert 200 == http("GET", f"{installation.url}/v1/me", token=installation.token()).status


@pytest.mark.parametrize("sent", [b"", b"GET /v1/me HTTP/1.1\r\n"])
def test_headers_must_arrive(installation: Installation, sent: bytes) -> None:
    """
    Probes 1, 2: a connection that says nothing, or begins and stops, is closed after 5 s.
    """
    with Wire(installation.port, timeout=60) as wire:
        wire.send(sent)

        assert 4 < wire.ended_after() < 15


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (b"X: " + b"a" * (1 << 20) + b"\r\n", 431),
        (b"X: " + b"a" * 15_000 + b"\r\n", 200),
        (b"X: " + b"a" * 17_000 + b"\r\n", 431),
        (b"".join(b"X%d: a\r\n" % n for n in range(62)), 200),
        (b"".join(b"X%d: a\r\n" % n for n in range(63)), 431),
        (b"".join(b"X%d: a\r\n" % n for n in range(20_000)), 431),
        (b"X: a\r\n" * 120, 431),
    ],
    ids=["1 MB", "15 KB", "17 KB", "64 lines", "65 lines", "20,000 lines", "120 of one name"],
)
def test_header_block(installation: Installation, lines: bytes, status: int) -> None:
    """
    Probes 3, 4: 16 KiB and 64 header fields pass, more do not.
    """
    assert status == get(installation, lines=lines)


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Content-Length: 3\r\nContent-Length: 4\r\n",
        b"Content-Length: 3, 3\r\n",
        b"Content-Length: +3\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 0x3\r\n",
        b"Content-Length: 99999999999999999999999\r\n",
        b"X: a\r\n b\r\n",
        b"X: a\0b\r\n",
        b"TE : trailers\r\n",
        b"X\x01: a\r\n",
        b"X: a\rb\r\n",
        b"X\r\n",
    ],
)
def test_two_readings_are_refused(installation: Installation, lines: bytes) -> None:
    """
    Probes 5, 6, 9 to 11: two lengths, any Transfer-Encoding, folded and malformed lines are refused.
    """
    assert get(installation, lines=lines) in (400, 411)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (b"", 400),
        (HOST + HOST, 400),
        (HOST + b"Host: other\r\n", 400),
        (b"Host:\r\n", 400),
        (b"Host: evil.example\r\n", 400),
        (b"Host: a@127.0.0.1\r\n", 400),
        (b"Host: LOCALHOST:99\r\n", 200),
    ],
)
def test_host_is_ours(installation: Installation, host: bytes, status: int) -> None:
    """
    Probe 7: one Host, and one of the names of this installation, with any port.
    """
    assert status == get(installation, host=host)


@pytest.mark.parametrize("more", ["Bearer x", "Basic YTpi"])
def test_two_authorizations(installation: Installation, more: str) -> None:
    """
    Probe 8: of two credentials none is taken.
    """
    lines = f"Authorization: {more}\r\n".encode()

    assert 401 == get(installation, lines=lines)


@pytest.mark.parametrize(("size", "statuses"), [(1 << 20, {414, 431}), (8300, {414}), (8000, {404})])
def test_long_address(installation: Installation, size: int, statuses: set[int]) -> None:
    """
    Probe 12: an address above 8 KiB is refused.
    """
    assert get(installation, b"/v1/" + b"a" * size) in statuses


@pytest.mark.parametrize(
    "target",
    [
        b"/a/..%2fadmin%00", b"/a/%2e%2e/b", b"/a/../b", b"/a/./b", b"/v1//me", b"//v1/me", b"/a%5cb", b"/a\\b",
        b"/a%00", b"/a%0a", b"/a%7f", b"/v1/me/..", b"/a%252fb", b"/a\x01", b"/a\0", b"/a b",
    ],
)  # fmt: skip
def test_ambiguous_paths(installation: Installation, target: bytes) -> None:
    """
    Dot segments, empty segments, encoded separators and control bytes are refused.
    """
    assert 400 == get(installation, target)


def test_http2_is_not_offered(installation: Installation) -> None:
    """
    The HTTP/2 preface ends the connection.
    """
    assert send(installation, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") is None


@pytest.mark.parametrize("is_sent", [False, True])
def test_huge_body_is_refused_unread(installation: Installation, is_sent: bool) -> None:
    """
    Probe 13: 20 MB get 413 by their announcement.
    """
    head = b"POST /v1/service-accounts HTTP/1.1\r\n" + HOST + b"Content-Length: 20971520\r\n\r\n"
    reply = send(installation, head + (b"a" * 20971520 if is_sent else b""))

    assert reply is not None
    assert (413, "too_large") == (reply.status, reply.json()["code"])


def test_bodies_that_never_come_harm_nobody(installation: Installation) -> None:
    """
    More forms than there are threads, and as many calls as a principal may have, announce a body that never
    comes: strangers are refused, and other calls, changes without a body and nodes go on.
    """
    cookie = http("GET", f"{installation.url}/login/").headers["set-cookie"].partition(";")[0].encode()
    kind = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\n"
    form = b"POST /login/ HTTP/1.1\r\n" + HOST + b"Cookie: " + cookie + b"\r\n" + kind
    token = f"Authorization: Bearer {installation.token()}\r\nContent-Type: application/json\r\n".encode()
    call = b"POST /v1/service-accounts HTTP/1.1\r\n" + HOST + token + b"Content-Length: 100\r\n\r\n"
    stranger = send(installation, call.replace(token, b""))
    with ExitStack() as open_:
        for data in [form] * 60 + [call] * 16:
            open_.enter_context(Wire(installation.port)).send(data)
        time.sleep(1)
        began = time.monotonic()
        read = http("GET", f"{installation.url}/v1/me", token=installation.token())
        deleted = http("DELETE", f"{installation.url}{ACCOUNTS}/sa_none", token=installation.token())
        node = http("GET", f"{installation.node_url}/readyz")
        seconds = time.monotonic() - began

    assert (401, 200, 404, 200) == (
        stranger.status if stranger else 0,
        read.status,
        deleted.status,
        node.status,
    )
    assert seconds < 5
