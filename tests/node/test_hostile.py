"""What a hostile peer sends: each probe gets its answer, while good traffic goes on beside it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.node.wire import Reply, Wire, exchange, request
from tests.node.world import Node

LIMIT_SECONDS = 5.0
HOST = b"Host: node\r\n"


class GoodTraffic(threading.Thread):
    """Asks good questions, one after the other, until it is told to stop."""

    def __init__(self, node: Node) -> None:
        super().__init__(daemon=True)
        self.node = node
        self.answered = 0
        self.slowest = 0.0
        self.failures: list[str] = []
        self._ending = threading.Event()

    def run(self) -> None:
        """Ask; note whatever is not a good answer."""
        while not self._ending.is_set():
            started = time.monotonic()
            try:
                if not self.node.is_good():
                    self.failures.append("denied")
            except OSError as error:
                self.failures.append(repr(error))
            self.answered += 1
            self.slowest = max(self.slowest, time.monotonic() - started)

    def end(self) -> None:
        """Stop after at least one more good answer."""
        wanted = self.answered + 2
        deadline = time.monotonic() + 10
        while self.answered < wanted and time.monotonic() < deadline:
            time.sleep(0.005)
        self._ending.set()
        self.join(10)


@pytest.fixture(autouse=True)
def good_traffic(node: Node) -> Iterator[GoodTraffic]:
    """Good traffic during each probe; every single good question must be answered well."""
    traffic = GoodTraffic(node)
    traffic.start()
    yield traffic
    traffic.end()

    assert [] == traffic.failures
    assert traffic.answered >= 2
    assert traffic.slowest < LIMIT_SECONDS


def _probe(node: Node, data: bytes) -> Reply:
    """Send ``data``; the answer must be the only one, and the connection must end with it."""
    with Wire(node.port) as wire:
        wire.send(data)
        replies = list(wire.replies())

    assert 1 == len(replies)
    assert "close" == replies[0].fields["connection"]
    return replies[0]


def _seconds_until_closed(node: Node, first: bytes, dribble: bytes = b"") -> float:
    """Send ``first``, then a byte a second of ``dribble``; return when the node ended the connection."""
    with Wire(node.port, timeout=30) as wire:
        wire.send(first)
        started = time.monotonic()
        wire.socket.settimeout(1.0)
        rest = list(dribble)
        while time.monotonic() - started < 20:
            try:
                if not wire.socket.recv(65536):
                    break
            except TimeoutError:
                if rest:
                    wire.send(bytes([rest.pop(0)]))
            except ConnectionResetError:
                break
        return time.monotonic() - started


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
    assert 3.0 < slow[kind] < LIMIT_SECONDS + 0.5


def test_header_block_of_a_megabyte(node: Node) -> None:
    """
    Probe 3: a header block above 16 KiB is refused.
    """
    assert 431 == _probe(node, b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * (1 << 20) + b"\r\n\r\n").status


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


@pytest.mark.parametrize("order", [1, -1])
def test_length_and_transfer_encoding(node: Node, order: int) -> None:
    """
    Probe 5: Content-Length beside Transfer-Encoding is refused, in both orders.
    """
    lines = b"".join([b"Content-Length: 4\r\n", b"Transfer-Encoding: chunked\r\n"][::order])
    reply = _probe(node, b"POST /v1/verify HTTP/1.1\r\n" + HOST + lines + b"\r\n0\r\n\r\n")

    assert reply.status in (400, 411)


@pytest.mark.parametrize("coding", [b"chunked", b"identity", b"gzip, chunked", b"Chunked", b"xchunked"])
@pytest.mark.parametrize("path", [b"/v1/verify", b"/v1/forward-auth/report:read"])
def test_every_transfer_encoding_is_refused(node: Node, coding: bytes, path: bytes) -> None:
    """
    No Transfer-Encoding is spoken, so none can be understood in two ways.
    """
    head = b"POST " + path + b" HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: " + coding + b"\r\n\r\n"

    assert _probe(node, head + b"0\r\n\r\n").status in (400, 411)


@pytest.mark.parametrize(
    "lengths", [("3", "4"), ("3", "3"), ("3, 3",), ("+3",), ("-1",), ("0x3",), ("99999999999999999999999",)]
)
def test_ambiguous_length(node: Node, lengths: tuple[str, ...]) -> None:
    """
    Probe 6: two Content-Length, or one that is not a plain number, is refused.
    """
    lines = "".join(f"Content-Length: {length}\r\n" for length in lengths).encode()

    assert 400 == _probe(node, b"POST /v1/verify HTTP/1.1\r\n" + HOST + lines + b"\r\n{}   ").status


@pytest.mark.parametrize("hosts", [b"", HOST + HOST, HOST + b"Host: other\r\n", b"Host:\r\n"])
def test_host_stands_there_once(node: Node, hosts: bytes) -> None:
    """
    Probe 7: no Host, an empty one, or two are refused.
    """
    assert 400 == _probe(node, b"GET /healthz HTTP/1.1\r\n" + hosts + b"\r\n").status


@pytest.mark.parametrize("first", ["reader", "powerless"])
@pytest.mark.parametrize("joined", [True, False])
def test_two_authorizations(node: Node, first: str, joined: bool) -> None:
    """
    Probe 8: two credentials are refused as scheme_not_accepted, in whatever order and form.
    """
    second = "powerless" if first == "reader" else "reader"
    values = [f"Bearer {node.world.token(first)}", f"Bearer {node.world.token(second)}"]
    fields = [f"Authorization: {value}" for value in ([", ".join(values)] if joined else values)]
    reply = node.get("/v1/forward-auth/report:read", *fields)

    assert (401, "scheme_not_accepted") == (reply.status, reply.code)


@pytest.mark.parametrize(
    "line",
    [
        b"X: a\r\n b",  # probe 9: folded
        b"Host: a\r\n b",
        b"X: a\0b",  # probe 10: NUL
        b"TE : trailers",  # probe 11: space before the colon
        b" X: a",
        b": a",
        b"X\x01: a",
        b"X: a\rb",
        b"X",
    ],
)
def test_malformed_header_line(node: Node, line: bytes) -> None:
    """
    Probes 9 to 11: folded lines, NUL, a space before the colon and their kin are refused.
    """
    assert 400 == _probe(node, b"GET /healthz HTTP/1.1\r\n" + HOST + line + b"\r\n\r\n").status


def test_bare_line_feeds(node: Node) -> None:
    """
    Lines end with CR LF and nothing else.
    """
    assert 400 == _probe(node, b"GET /healthz HTTP/1.1\nHost: node\n\n").status


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
        started = time.monotonic()
        wire.send(b"POST /v1/verify HTTP/1.1\r\n" + HOST + b"Content-Length: 20971520\r\n\r\n")
        reply = wire.reply()
        seconds = time.monotonic() - started

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


def test_unsent_bodies_hurt_nobody(node: Node, good_traffic: GoodTraffic) -> None:
    """
    Addition 1: 200 connections that announce a body and send none; good traffic is answered as before.
    """
    before = good_traffic.answered
    wires = [Wire(node.port) for _ in range(200)]
    for wire in wires:
        wire.send(b"POST /v1/verify HTTP/1.1\r\n" + HOST + b"Content-Length: 60\r\n\r\n")
    deadline = time.monotonic() + 5
    while good_traffic.answered < before + 20 and time.monotonic() < deadline:
        time.sleep(0.01)
    answered = good_traffic.answered - before
    for wire in wires:
        wire.socket.close()

    assert answered >= 20


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


@pytest.mark.parametrize("name", ["X_Forwarded_For", "x_forwarded_for", "X_FORWARDED_FOR"])
def test_underscore_names_forge_nothing(node: Node, name: str) -> None:
    """
    Addition 2: a name with underscores is another name: it is neither merged nor preferred.
    """
    token = f"Authorization: Bearer {node.world.token('powerless')}"
    forged = f"Authorization_: Bearer {node.world.token('reader')}"
    reply = node.get(
        "/v1/forward-auth/report:read", f"{name}: 10.0.0.1", "X-Forwarded-For: 192.0.2.9", token, forged
    )

    assert (403, "permission_missing") == (reply.status, reply.code)


@pytest.mark.parametrize(
    "path",
    [
        "/a/..%2fadmin", "/a/%2e%2e/b", "/a/../b", "/a/./b", "/a//b", "//healthz", "/a%5cb", "/a\\b", "/a%00",
        "/a%0a", "/a%7f", "/healthz/..", "/a/%2E%2e", "/a%252fb", "/a%zz", "/a%", "/..", "/v1/../healthz",
    ],
)  # fmt: skip
def test_ambiguous_path(node: Node, path: str) -> None:
    """
    Addition 3: encoded separators, dot segments, empty segments and control bytes are refused.
    """
    assert 400 == node.get(path).status


@pytest.mark.parametrize("raw", [b"/a\x01", b"/a\0", b"/\xc3\xa4", b"/a b"])
def test_control_bytes_in_the_target(node: Node, raw: bytes) -> None:
    """
    Addition 3: raw control bytes, blanks and bytes outside ASCII in the target are refused.
    """
    assert 400 == _probe(node, b"GET " + raw + b" HTTP/1.1\r\n" + HOST + b"\r\n").status


def test_http2_is_not_offered(node: Node) -> None:
    """
    Addition 4: the HTTP/2 preface is refused.
    """
    assert 400 == _probe(node, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status


def test_upgrade_to_http2_is_ignored(node: Node) -> None:
    """
    Addition 4: an upgrade is answered as plain HTTP/1.1, once, and what follows is not interpreted.
    """
    fields = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    with Wire(node.port) as wire:
        wire.send(request("/healthz", *fields) + request("/readyz"))
        replies = list(wire.replies())

    assert [200] == [reply.status for reply in replies]


@pytest.mark.parametrize(
    "line", [b"GET /healthz HTTP/1.2", b"GET /healthz HTTP/3.0", b"GET /healthz HTTP/0.9", b"GET /healthz"]
)
def test_other_versions(node: Node, line: bytes) -> None:
    """
    Only HTTP/1.1 and HTTP/1.0 are spoken.
    """
    assert 400 == _probe(node, line + b"\r\n" + HOST + b"\r\n").status


def test_tls_to_the_plain_port(node: Node) -> None:
    """
    A TLS handshake gets a refusal, not silence.
    """
    assert 400 == _probe(node, bytes.fromhex("1603010200010001fc0303") + bytes(64)).status


def test_slow_reader_is_cut_off(node: Node) -> None:
    """
    A peer that asks for much and reads nothing is not buffered for: it is closed, others are answered.
    """
    with Wire(node.port, timeout=30, receive_buffer=4096) as wire:
        wire.socket.setblocking(False)
        block = request("/metrics") * 200
        started = time.monotonic()
        closed = False
        while time.monotonic() - started < 25 and not closed:
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
        with socket.create_connection(("127.0.0.1", node.port), timeout=5) as connection:
            connection.sendall(data[:cut])

    assert node.is_good()
