"""The listener as good clients use it: pipelining, keep-alive, HEAD, continue, HTTP/1.0, back-pressure."""

from __future__ import annotations

import json
import re
import time
from email.utils import formatdate, parsedate_to_datetime

import pytest

from retinue.node.responses import date as told
from tests.node.wire import Wire, exchange, request
from tests.node.world import Node


def _verify(token: str) -> bytes:
    return request("/v1/verify", method="POST", body=json.dumps({"token": token}).encode())


def test_pipelined_requests_are_answered_in_order(node: Node) -> None:
    """
    Several requests in one segment get their answers in the same order, one each.
    """
    names = ["reader", "revoked", "reader", "expired", "suspended", "reader"] * 5
    with Wire(node.port) as wire:
        wire.send(b"".join(_verify(node.world.token(name)) for name in names))
        reasons = [wire.reply().json()["reason"] for _ in names]

    wanted = {"reader": None, "revoked": "credential_revoked", "expired": "credential_expired"}
    assert [wanted.get(name, "credential_suspended") for name in names] == reasons


def test_requests_in_single_bytes(node: Node) -> None:
    """
    However the network cuts two requests, they are read the same.
    """
    data = _verify(node.world.token("reader")) + request("/healthz")
    with Wire(node.port) as wire:
        for position in range(len(data)):
            wire.send(data[position : position + 1])
        replies = [wire.reply(), wire.reply()]

    assert [(200, True), (200, None)] == [(r.status, r.json().get("allowed")) for r in replies]


def test_a_flood_of_pipelined_requests_is_answered_whole(node: Node) -> None:
    """
    Thousands of requests at once, far more than one slice, are all answered, and others meanwhile too.
    """
    count = 5000
    with Wire(node.port, timeout=30) as wire:
        wire.send(request("/hello") * count)
        beside = node.is_good()
        statuses = [wire.reply().status for _ in range(count)]

    assert [200] * count == statuses
    assert beside


def test_pipelining_ends_at_the_first_refusal(node: Node) -> None:
    """
    What was answered stays answered; after a malformed request nothing more is interpreted.
    """
    with Wire(node.port) as wire:
        wire.send(request("/hello") * 3 + b"GET / HTTP/1.1\r\nTE : x\r\n\r\n" + request("/hello") * 3)
        statuses = [reply.status for reply in wire.replies()]

    assert [200, 200, 200, 400] == statuses


def test_keep_alive_serves_many_requests(node: Node) -> None:
    """
    A connection is reused until the client says otherwise.
    """
    with Wire(node.port) as wire:
        for _ in range(20):
            wire.send(request("/healthz"))
            assert 200 == wire.reply().status
        wire.send(request("/healthz", "Connection: close"))
        last = wire.reply()
        seconds = wire.ended_after()

    assert "close" == last.fields["connection"]
    assert seconds < 2


@pytest.mark.parametrize("fields", [(), ("Connection: keep-alive",)])
def test_http_1_0(node: Node, fields: tuple[str, ...]) -> None:
    """
    HTTP/1.0 is answered, and the connection ends after the answer.
    """
    lines = ["GET /healthz HTTP/1.0", "Host: node", *fields]
    with Wire(node.port) as wire:
        wire.send(("\r\n".join(lines) + "\r\n\r\n").encode())
        reply = wire.reply()
        seconds = wire.ended_after()

    assert (200, "close") == (reply.status, reply.fields["connection"])
    assert seconds < 2


@pytest.mark.parametrize("target", ["/healthz", "/hello", "/v1/identity-keys", "/v1/verify", "/nothing"])
def test_head_is_get_without_body(node: Node, target: str) -> None:
    """
    HEAD gives status and header of GET, no body, and the connection goes on.
    """
    with Wire(node.port) as wire:
        wire.send(request(target))
        got = wire.reply()
        wire.send(request(target, method="HEAD") + request("/healthz"))
        head = wire.reply(has_body=False)
        after = wire.reply()

    assert (got.status, got.fields["content-type"]) == (head.status, head.fields["content-type"])
    assert (200, b'{"status":"ok"}') == (after.status, after.body)


def test_continue_is_sent_before_the_body(node: Node) -> None:
    """
    A client that asks first gets 100, then sends its body, then gets the decision.
    """
    body = json.dumps({"token": node.world.token("reader")}).encode()
    with Wire(node.port) as wire:
        head = request("/v1/verify", "Expect: 100-continue", f"Content-Length: {len(body)}", method="POST")
        wire.send(head)
        first = wire.reply()
        wire.send(body)
        second = wire.reply()

    assert (100, 200, True) == (first.status, second.status, second.json()["allowed"])


@pytest.mark.parametrize(
    ("length", "expectation", "status"), [(70_000, "100-continue", 413), (10, "200-maybe", 417)]
)
def test_no_continue_for_what_is_refused(node: Node, length: int, expectation: str, status: int) -> None:
    """
    A body that will not be read is not asked for; an expectation that nobody knows is 417.
    """
    fields = (f"Expect: {expectation}", f"Content-Length: {length}")

    assert status == exchange(node.port, request("/v1/verify", *fields, method="POST")).status


def test_absolute_form(node: Node) -> None:
    """
    A target in absolute form means its path (RFC 9112 section 3.2.2).
    """
    assert 200 == node.get("http://node/healthz").status
    assert 404 == node.get("http://node").status


def test_every_answer_has_a_date(node: Node) -> None:
    """
    The date is there, in the one accepted form, and follows the clock.
    """
    date = node.get("/healthz").fields["date"]

    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", date)
    assert abs(parsedate_to_datetime(date).timestamp() - time.time()) < 5
    for second in range(
        0, 1 << 33, 9_876_543
    ):  # from 1970 to 2242, in each month and on each day of the week
        assert formatdate(second, usegmt=True).encode() == told(second)


def test_a_refusal_is_a_problem(node: Node) -> None:
    """
    Also what the listener refuses is a problem with code and request id.
    """
    reply = exchange(node.port, b"GET / HTTP/1.1\r\n\r\n")

    assert "application/problem+json" == reply.fields["content-type"]
    assert ("bad_request", "bad_request", 400) == (
        reply.code,
        reply.fields["retinue-error"],
        reply.json()["status"],
    )
    assert re.fullmatch(r"req_[0-9A-Za-z]{16}", reply.json()["request_id"])
