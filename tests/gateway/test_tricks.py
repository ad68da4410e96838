"""What strangers and holders of narrow tokens try: nothing reaches the application that a direct call would not.

Whatever a gateway answers, each request that the application sees is looked at by :meth:`Protected.check`.
"""

from __future__ import annotations

import random
import secrets
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.gateway.conftest import Protected
from tests.support.requirements import requires

#: Paths whose second reading needs a permission that a reader does not have, or has no rule.
AMBIGUOUS = [
    "/reports/../entries", "/reports/./../entries", "/reports/..%2fentries", "/reports/%2e%2e/entries",
    "/reports/.%2e/entries", "/reports/%2e%2e%2fentries", "/reports/..%5centries", "/reports/..\\entries",
    "/reports//private/1", "//reports/7", "/reports/private%2f1", "/reports/%70rivate/1", "/reports/p%72ivate/1",
    "/reports/%2570rivate/1", "/reports/private%252f1", "/reports/x/../private/1", "/reports/;/private/1",
    "/reports/7;x/lines", "/reports/7%3bx/lines", "/reports/..;/entries", "/reports/7%00", "/reports/7%0a", "/reports/7%",
    "/reports/7%zz", "/reports/7%2", "/reports/7#/private", "/reports/7/lines%20", "/reports/7/%6cines", "/reports/7\\lines",
    "/REPORTS/7", "/reports/\xff", "/reports/7/lines/", "/reports/7/%2e", "/%72eports/7", "/reports/7%2flines",
    "http://node/reports/../entries", "http://node//reports/private/1", "http://other/entries", "/reports/7/lines?", "*",
    "reports/7", "/reports/private?x=/reports/7", "/reports/7?/../entries",
]  # fmt: skip


def _lines(*lines: str, body: str = "") -> bytes:
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1")


@pytest.fixture
def reader(protected: Protected) -> str:
    """A token that may read reports, and nothing else."""
    return protected.accounts.token("reader", "report:read")


def _run(protected: Protected, sent: dict[str, tuple[bytes, str]]) -> dict[str, list[int]]:
    """Send each of the requests; return what was answered, and look at all that reached the application."""
    with ThreadPoolExecutor(8) as pool:
        answers = dict(zip(sent, pool.map(lambda each: protected.send(*each), sent.values()), strict=True))
    for _, seen in answers.values():
        for each in seen:
            protected.check(each)
    return {name: statuses for name, (statuses, _) in answers.items()}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_paths_of_two_readings(protected: Protected, reader: str, method: str) -> None:
    """
    A path is resolved before its rule is chosen, or refused: a reader gets nowhere else by spelling it otherwise.
    """
    sent = {}
    for path in AMBIGUOUS:
        mark = secrets.token_hex(8)
        fields = "Host: node", f"X-Mark: {mark}", f"Authorization: Bearer {reader}", "Content-Length: 0"
        sent[path] = _lines(f"{method} {path} HTTP/1.1", *fields, "Connection: close"), mark
    answers = _run(protected, sent)

    wrong = {path: each for path, each in answers.items() if each and each[0] >= 500}
    assert {} == wrong


def _headers(token: str) -> dict[str, list[str]]:
    """Requests by what is tried with their header, for a path that the token may read."""
    bearer, other = f"Authorization: Bearer {token}", "Authorization: Bearer " + "x" * 40
    forged = "Retinue-Identity: e30.e30.AAAA"
    return {
        "two tokens, the good one first": [bearer, other],
        "two tokens, the good one last": [other, bearer],
        "the same token twice": [bearer, bearer],
        "two in one line": [f"{bearer}, Bearer {token}"],
        "two schemes": [bearer, "Authorization: Basic eDp5"],
        "in upper case": [f"AUTHORIZATION: BEARER {token}"],
        "in no case": [f"authorization: bearer {token}"],
        "a folded line": ["X-A: 1", f" {bearer}"],
        "a token folded": ["Authorization: Bearer", f" {token}"],
        "a folded identity": [bearer, "X-A: 1", f" {forged}"],
        "a space before the colon": [f"Authorization : Bearer {token}"],
        "an underscore": [f"Authorization_: Bearer {token}"],
        "hop by hop token": [bearer, "Connection: close, Authorization"],
        "hop by hop identity": [bearer, forged, "Connection: close, Retinue-Identity"],
        "hop by hop description": [bearer, "Connection: close, X-Forwarded-Uri, X-Forwarded-Method, X-Forwarded-For"],
        "two identities": [bearer, forged, forged],
        "an identity of underscores": [bearer, "Retinue_Identity: e30.e30.AAAA"],
        "an identity with a space": [bearer, "Retinue-Identity : e30.e30.AAAA"],
        "an identity with a tab": [bearer, "Retinue-Identity\t: e30.e30.AAAA"],
        "a forged description": [
            bearer, "X-Forwarded-Uri: /entries", "X-Forwarded-Method: POST", "X-Original-URL: /entries",
            "X-Rewrite-URL: /entries", "X-HTTP-Method-Override: POST", "X-Envoy-Original-Path: /entries",
        ],
        "a caller": [bearer, f"Retinue-Caller: Bearer {token}"],
        "a bare line feed": [bearer + "\n" + forged],
        "a bare carriage return": [bearer + "\r" + forged],
        "a null": [bearer, "X-A: \0"],
        "no host": [bearer, "Host:"],
        "two hosts": [bearer, "Host: other"],
    }  # fmt: skip


#: What must not be allowed, of the above; the rest is allowed or refused as a gateway likes.
REFUSED = (
    "two tokens, the good one first", "two tokens, the good one last", "two in one line", "two schemes",
    "an underscore", "a folded line",
)  # fmt: skip


def test_headers(protected: Protected, reader: str) -> None:
    """
    Two tokens are none, in no order; what stands in the header otherwise changes neither who calls nor what for.
    """
    sent = {}
    for name, fields in _headers(reader).items():
        mark = secrets.token_hex(8)
        closing = [] if any("Connection" in each for each in fields) else ["Connection: close"]
        sent[name] = (
            _lines("GET /reports/7 HTTP/1.1", "Host: node", f"X-Mark: {mark}", *fields, *closing),
            mark,
        )
    answers = _run(protected, sent)

    assert [] == [name for name in REFUSED if 200 in answers[name]]
    assert [200, 200] == [*answers["in upper case"], *answers["in no case"]]


def _smuggled(token: str, mark: str) -> dict[str, bytes]:
    """Bytes in which one program may see one request and the next program two."""
    bearer = f"Authorization: Bearer {token}"
    inner = f"GET /entries?{mark} HTTP/1.1\r\nHost: node\r\nX-Mark: {mark}\r\nRetinue-Identity: e30.e30.AAAA\r\n\r\n"
    start = ("POST /reports/7 HTTP/1.1", "Host: node", f"X-Mark: {mark}", bearer)
    return {**_coded(start, inner), **_counted(start, inner), **_turned(start, inner, mark)}


def _coded(start: tuple[str, ...], inner: str) -> dict[str, bytes]:
    """By a length and a transfer coding."""
    chunk = f"{len(inner):x}\r\n{inner}\r\n0\r\n\r\n"
    size = len(inner)
    return {
        "CL.TE": _lines(*start, f"Content-Length: {size + 5}", "Transfer-Encoding: chunked", body="0\r\n\r\n" + inner),
        "TE.CL": _lines(*start, "Content-Length: 4", "Transfer-Encoding: chunked", body=chunk),
        "TE.TE": _lines(
            *start, "Transfer-Encoding: chunked", "Transfer-Encoding: x", "Content-Length: 5", body="0\r\n\r\n" + inner
        ),
        "TE of a tab": _lines(
            *start, "Transfer-Encoding:\tchunked", f"Content-Length: {size + 5}", body="0\r\n\r\n" + inner
        ),
        "TE folded": _lines(
            *start, "Transfer-Encoding:", " chunked", f"Content-Length: {size + 5}", body="0\r\n\r\n" + inner
        ),
        "TE with a space": _lines(
            *start, "Transfer-Encoding : chunked", f"Content-Length: {size + 5}", body="0\r\n\r\n" + inner
        ),
        "TE identity": _lines(*start, "Transfer-Encoding: identity", "Content-Length: 0", body=inner),
        "TE upper": _lines(*start, "Transfer-Encoding: xchunked", f"Content-Length: {size}", body=inner),
        "a large chunk": _lines(*start, "Transfer-Encoding: chunked", body=f"1{'0' * 16}{size:x}\r\n{inner}"),
        "chunk extension": _lines(
            *start, "Transfer-Encoding: chunked", body=f"{size:x};a=\n\r\n{inner}\r\n0\r\n\r\n"
        ),
        "trailers": _lines(
            *start, "Trailer: Retinue-Identity, Authorization", "Transfer-Encoding: chunked", "Connection: close",
            body="1\r\nx\r\n0\r\nRetinue-Identity: e30.e30.AAAA\r\nAuthorization: Bearer x\r\n\r\n",
        ),
        "HTTP/1.0 chunked": _lines(
            start[0].replace("1.1", "1.0"), *start[1:], "Transfer-Encoding: chunked", body=chunk
        ),
    }  # fmt: skip


def _counted(start: tuple[str, ...], inner: str) -> dict[str, bytes]:
    """By lengths."""
    size = len(inner)
    return {
        "two lengths": _lines(*start, "Content-Length: 0", f"Content-Length: {size}", body=inner),
        "lengths in one": _lines(*start, f"Content-Length: 0, {size}", body=inner),
        "length with a sign": _lines(*start, f"Content-Length: +{size}", body=inner),
        "length of underscores": _lines(*start, f"Content_Length: {size}", "Content-Length: 0", body=inner),
        "GET with a body": _lines(
            start[0].replace("POST", "GET"), *start[1:], f"Content-Length: {size}", body=inner
        ),
    }  # fmt: skip


def _turned(start: tuple[str, ...], inner: str, mark: str) -> dict[str, bytes]:
    """By what comes behind a whole request, and by another protocol."""
    return {
        "pipelined": _lines(*start, "Content-Length: 0", body=inner),
        "HTTP/0.9": f"GET /entries?{mark}\r\n\r\n".encode(),
        "in the target": f"GET /reports/7?{mark} HTTP/1.1\r\nX: HTTP/1.1\r\nHost: node\r\n{start[-1]}\r\n\r\n".encode(),
        "an upgrade": _lines(
            *start, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
            "Content-Length: 0", body=inner,
        ),
        "websocket": _lines(
            *start, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Content-Length: 0", body=inner,
        ),
    }  # fmt: skip


def test_smuggled_requests(protected: Protected) -> None:
    """
    A request within another one reaches the application as part of its body, or as one that was asked about.
    """
    token = protected.accounts.token("smuggler", "report:read", "report:write")
    marks = {name: secrets.token_hex(8) for name in _smuggled("", "")}
    answers = _run(protected, {name: (_smuggled(token, mark)[name], mark) for name, mark in marks.items()})

    assert set(marks) == set(answers)


def test_any_combination(protected: Protected, reader: str) -> None:
    """
    Paths, methods, tokens and header lines drawn at random: what reaches the application is what was asked about.
    """
    draw = random.Random(protected.name)  # noqa: S311
    powerless = protected.accounts.token("powerless")
    pieces = [
        "/",
        "reports",
        "private",
        "7",
        "lines",
        "entries",
        "..",
        ".",
        "%2e",
        "%2f",
        "%5c",
        "%70",
        ";",
        "//",
        "%00",
        "?",
        "%",
    ]
    lines = [each for fields in _headers(reader).values() for each in fields]
    sent = {}
    for number in range(60):
        mark = secrets.token_hex(8)
        path = "/reports/" + "".join(draw.choice(pieces) for _ in range(draw.randrange(4)))
        token = draw.choice([reader, reader, reader, powerless])
        fields = [f"X-Mark: {mark}", f"Authorization: Bearer {token}", *draw.sample(lines, draw.randrange(2))]
        method = draw.choice(["GET", "GET", "POST", "HEAD", "DELETE", "get", "G ET"])
        data = _lines(f"{method} {path} HTTP/1.1", "Host: node", *fields, "Connection: close")
        sent[str(number)] = data, mark
    answers = _run(protected, sent)

    assert any(200 in each for each in answers.values())


@requires("curl")
def test_http2(protected: Protected, reader: str) -> None:
    """
    Where a gateway speaks HTTP/2 without TLS, it is as closed as over HTTP/1.1.
    """
    asked = {
        "open": ("/reports/7", []),
        "right": ("/reports/7", [f"authorization: Bearer {reader}"]),
        "forged": ("/reports/7", [f"authorization: Bearer {reader}", "retinue-identity: e30.e30.AAAA"]),
        "twice": ("/reports/7", [f"authorization: Bearer {reader}", "authorization: Bearer x"]),
        "elsewhere": ("/reports/%70rivate/1", [f"authorization: Bearer {reader}"]),
        "up": ("/reports/../entries", [f"authorization: Bearer {reader}"]),
        "slashes": ("/reports//private/1", [f"authorization: Bearer {reader}"]),
        "hop": ("/reports/7", [f"authorization: Bearer {reader}", "connection: retinue-identity"]),
    }
    answers = {}
    for name, (path, fields) in asked.items():
        mark = secrets.token_hex(8)
        lines = "".join(f'header = "{each}"\n' for each in (*fields, f"x-mark: {mark}"))
        flags = [
            "-sS",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "--path-as-is",
            "--http2-prior-knowledge",
            "-m",
            "120",
        ]
        command = ["curl", *flags, "-K", "-", protected.url + path]
        done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
        answers[name] = done.stdout
        for each in protected.echo.about(mark):
            protected.check(each)

    closed = {name: answers[name] for name in ("open", "twice", "elsewhere", "up", "slashes")}
    assert [] == [name for name, status in closed.items() if status == "200"]
    spoken = protected.name != "nginx"
    assert ["200" if spoken else "000"] * 2 == [answers["right"], answers["forged"]]
