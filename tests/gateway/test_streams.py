"""Streams through each of the five gateways: asked about before they begin, and to WebSocket alone."""

from __future__ import annotations

import secrets
import socket

from tests.gateway.conftest import Protected
from tests.gateway.streams import Duplex
from tests.node.wire import request


def test_a_websocket(protected: Protected) -> None:
    """
    Without a token, or without the permission, there is no 101 and the application hears nothing; with it there is one,
    the application knows who calls and gets no token, and both sides are heard.
    """
    reader, mark = protected.accounts.token("reader", "report:read"), secrets.token_hex(8)
    bearer = f"Authorization: Bearer {reader}", f"X-Mark: {mark}", "Retinue-Identity: e30.e30.AAAA"
    refused = []
    for target, fields in (("/reports/1", bearer[1:]), ("/entries", bearer), ("/admin", bearer)):
        with Duplex(protected.port) as stream:
            refused.append(stream.upgrade(target, *fields).status)
    assert ([401, 403, 404], []) == (refused, protected.echo.about(mark))

    with Duplex(protected.port) as stream:
        assert 101 == stream.upgrade("/reports/1", *bearer).status
        assert ["hello", "again"] == [stream.say("hello"), stream.say("again")]
    (seen,) = protected.echo.about(mark)
    assert "reader" == protected.check(seen).name


def test_a_revoked_key_and_its_streams(protected: Protected) -> None:
    """
    From the moment that the revoke has returned there is no new stream; one that runs lives on, as the page says.
    """
    handle, mark = f"streaming-{protected.name}", secrets.token_hex(8)
    token = protected.accounts.token(handle, "report:read")
    with Duplex(protected.port) as running:
        assert 101 == running.upgrade("/reports/1", f"Authorization: Bearer {token}").status
        protected.accounts.post(f"/v1/keys/key_{token.split('_')[1]}/revoke", {"reason": "no_longer_needed"})

        # Made now: HAProxy waits for a request for 5 s, and the revoke may take as long.
        with Duplex(protected.port) as late:
            refused = late.upgrade("/reports/1", f"Authorization: Bearer {token}", f"X-Mark: {mark}")
        assert (401, "credential_revoked") == (refused.status, refused.code)
        assert [] == protected.echo.about(mark)
        assert "still here" == running.say("still here")


#: What is no WebSocket, or more than one.
OTHERS = (
    ("h2c",), ("h2c, websocket",), ("websocket, h2c",), ("h2c", "websocket"), ("websocket", "h2c"), ("TLS/1.0",), ("websockets",),
    ("x/websocket",), ("websocket/13",), ("webSocket, h2c",), ("abcdefghi",), ("",),
)  # fmt: skip


def test_no_other_protocol(protected: Protected) -> None:
    """
    Who may read reports changes to no protocol in which the gateway would no longer see what is asked, whatever the
    application accepts.
    """
    reader = protected.accounts.token("reader", "report:read")
    inner = "GET /entries HTTP/1.1", "Host: node", "Retinue-Identity: e30.e30.AAAA"
    for names in OTHERS:
        mark = secrets.token_hex(8)
        fields = f"Authorization: Bearer {reader}", f"X-Mark: {mark}", "Connection: Upgrade, HTTP2-Settings"
        upgrade = [f"Upgrade: {name}" for name in names]
        with Duplex(protected.port) as stream:
            stream.send(request("/reports/7", *fields, "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA", *upgrade))
            changed = stream.reply().status == 101
            if changed:
                stream.send(("\r\n".join([*inner, f"X-Mark: {mark}"]) + "\r\n\r\n").encode())
                stream.socket.shutdown(socket.SHUT_WR)
                stream.ended_after()
        seen = protected.echo.about(mark)
        assert ["/reports/7"] * len(seen) == [each.target for each in seen], names
        told = [each.values("Upgrade") for each in seen if each.values("Upgrade")]
        assert ([["websocket"]] if changed else []) == told, names


def test_a_websocket_in_another_case(protected: Protected) -> None:
    """
    The name of the protocol has no case.
    """
    reader = protected.accounts.token("reader", "report:read")
    fields = f"Authorization: Bearer {reader}", "connection: keep-alive, upgrade", "upgrade: WebSocket"
    with Duplex(protected.port) as stream:
        stream.send(
            request(
                "/reports/7", *fields, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + "A" * 22 + "=="
            )
        )
        assert 101 == stream.reply().status
