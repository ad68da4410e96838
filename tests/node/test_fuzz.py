"""Bytes that nobody planned: the worker never dies of them, and the next good question is answered."""

from __future__ import annotations

import contextlib

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retinue import presented
from retinue.node import presentation, questions
from tests.node.wire import Reply, Wire, request
from tests.node.world import Node

_STATUSES = {200, 400, 401, 403, 404, 405, 408, 411, 413, 414, 417, 431, 500}
_FAST = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_pieces = st.sampled_from(
    [
        b"GET ", b"POST ", b"PRI * HTTP/2.0", b"/v1/verify", b"/v1/forward-auth/report:read", b"/", b" HTTP/1.1",
        b"\r\n", b"\r\n\r\n", b"Host: a\r\n", b"Content-Length: 5\r\n", b"Content-Length: 99999\r\n",
        b"Transfer-Encoding: chunked\r\n", b"Authorization: Bearer ", b"Expect: 100-continue\r\n",
        b"Connection: close\r\n", b"Connection: upgrade\r\nUpgrade: x\r\n", b"\0", b"\xff", b'{"token":"x"}', b"0\r\n\r\n",
    ]
)  # fmt: skip


def _talk(node: Node, data: list[bytes]) -> list[Reply]:
    """Send pieces, say that nothing more comes, and read all answers."""
    with Wire(node.port, timeout=10) as wire, contextlib.suppress(ConnectionResetError):
        for piece in data:
            wire.send(piece)
        with contextlib.suppress(OSError):
            wire.socket.shutdown(1)
        return list(wire.replies())
    return []


@_FAST
@given(st.lists(st.one_of(_pieces, st.binary(max_size=40)), min_size=1, max_size=12))
def test_any_bytes_leave_the_worker_alive(node: Node, data: list[bytes]) -> None:
    """
    Whatever is sent, each answer is one of the documented ones, and the next connection is served.
    """
    statuses = {reply.status for reply in _talk(node, data) if reply.status != 100}

    assert set() == statuses - _STATUSES
    assert node.is_good()


@_FAST
@given(st.binary(max_size=200))
def test_any_body_is_a_question_or_a_problem(node: Node, body: bytes) -> None:
    """
    A body of any bytes is answered 200 or 400 or 422, never 5xx.
    """
    assert node.get("/v1/verify", method="POST", body=body).status in (200, 400, 422)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.text(max_size=30) | _json
            for name in ("token", "need", "organization", "resource", "address", "method", "path")
        },
    )
)
def test_any_json_is_read_or_refused(content: dict[str, object]) -> None:
    """
    Reading a question never raises anything but a refusal that names the field or the rule.
    """
    import json

    try:
        body = questions.read(json.dumps(content).encode())
    except questions.Refused as refused:
        assert refused.problem.status in (400, 422)
        assert refused.problem.field or refused.problem.detail
    else:
        assert content["token"] is not None
        assert body.path is None or "?" not in body.path


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.text(max_size=20))
def test_presentation_never_raises(value: bytes, text: str) -> None:
    """
    Reading a header value, a permission segment, an address or a path never raises.
    """
    token, scheme = presented.authorization(value)
    presentation.need(value)
    presentation.is_ambiguous(value)
    presentation.address(text)
    gateways = presentation.Gateways(())

    assert scheme == presented.REFUSED or presented.is_scheme(scheme)
    assert token is None or b"," not in value or scheme == presented.REFUSED
    assert gateways.client("127.0.0.1", value) == "127.0.0.1"


@_FAST
@given(st.text(alphabet="/.%2fFeE5cC0a:@*?", max_size=30))
def test_any_permission_segment_keeps_the_door_closed(node: Node, tail: str) -> None:
    """
    No spelling of a forward-auth path is answered 200 unless the permission is exactly a declared one.
    """
    token = f"Authorization: Bearer {node.world.token('reader')}"
    with Wire(node.port) as wire:
        wire.send(request("/v1/forward-auth/" + tail, token))
        reply = wire.reply()

    assert reply.status in (400, 500)
