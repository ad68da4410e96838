"""What two programs could read differently is refused: each probe gets its answer, while good traffic goes on."""

from __future__ import annotations

import pytest

from tests.node.traffic import probe
from tests.node.wire import Wire, request
from tests.node.world import Node

pytestmark = pytest.mark.usefixtures("good_traffic")
HOST = b"Host: node\r\n"


@pytest.mark.parametrize("order", [1, -1])
def test_length_and_transfer_encoding(node: Node, order: int) -> None:
    """
    Probe 5: Content-Length beside Transfer-Encoding is refused, in both orders.
    """
    lines = b"".join([b"Content-Length: 4\r\n", b"Transfer-Encoding: chunked\r\n"][::order])
    reply = probe(node, b"POST /v1/verify HTTP/1.1\r\n" + HOST + lines + b"\r\n0\r\n\r\n")

    assert reply.status in (400, 411)


@pytest.mark.parametrize("coding", [b"chunked", b"identity", b"gzip, chunked", b"Chunked", b"xchunked"])
@pytest.mark.parametrize("path", [b"/v1/verify", b"/v1/forward-auth/report:read"])
def test_every_transfer_encoding_is_refused(node: Node, coding: bytes, path: bytes) -> None:
    """
    No Transfer-Encoding is spoken, so none can be understood in two ways.
    """
    head = b"POST " + path + b" HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: " + coding + b"\r\n\r\n"

    assert probe(node, head + b"0\r\n\r\n").status in (400, 411)


@pytest.mark.parametrize(
    "lengths", [("3", "4"), ("3", "3"), ("3, 3",), ("+3",), ("-1",), ("0x3",), ("99999999999999999999999",)]
)
def test_ambiguous_length(node: Node, lengths: tuple[str, ...]) -> None:
    """
    Probe 6: two Content-Length, or one that is not a plain number, is refused.
    """
    lines = "".join(f"Content-Length: {length}\r\n" for length in lengths).encode()

    assert 400 == probe(node, b"POST /v1/verify HTTP/1.1\r\n" + HOST + lines + b"\r\n{}   ").status


@pytest.mark.parametrize("hosts", [b"", HOST + HOST, HOST + b"Host: other\r\n", b"Host:\r\n"])
def test_host_stands_there_once(node: Node, hosts: bytes) -> None:
    """
    Probe 7: no Host, an empty one, or two are refused.
    """
    assert 400 == probe(node, b"GET /healthz HTTP/1.1\r\n" + hosts + b"\r\n").status


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
    assert 400 == probe(node, b"GET /healthz HTTP/1.1\r\n" + HOST + line + b"\r\n\r\n").status


def test_bare_line_feeds(node: Node) -> None:
    """
    Lines end with CR LF and nothing else.
    """
    assert 400 == probe(node, b"GET /healthz HTTP/1.1\nHost: node\n\n").status


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
    assert 400 == probe(node, b"GET " + raw + b" HTTP/1.1\r\n" + HOST + b"\r\n").status


def test_http2_is_not_offered(node: Node) -> None:
    """
    Addition 4: the HTTP/2 preface is refused.
    """
    assert 400 == probe(node, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status


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
    assert 400 == probe(node, line + b"\r\n" + HOST + b"\r\n").status


def test_tls_to_the_plain_port(node: Node) -> None:
    """
    A TLS handshake gets a refusal, not silence.
    """
    assert 400 == probe(node, bytes.fromhex("1603010200010001fc0303") + bytes(64)).status
