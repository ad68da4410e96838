"""Requests as bytes to a control plane that is served: what a client library would not send."""

from __future__ import annotations

import json
from http.client import HTTPResponse, RemoteDisconnected

from tests.node.wire import Wire
from tests.support.installation import Answer, Installation

HOST = b"Host: 127.0.0.1\r\n"
ACCOUNTS = "/v1/service-accounts"


def send(installation: Installation, data: bytes) -> Answer | None:
    """Send bytes on a connection of their own; ``None`` if it is closed without an answer."""
    with Wire(installation.port, timeout=60) as wire:
        wire.send(data)
        answer = HTTPResponse(wire.socket)
        try:
            answer.begin()
            return Answer(answer.status, dict(answer.headers), answer.read())
        except (ConnectionResetError, RemoteDisconnected):
            return None


def get(installation: Installation, target: bytes = b"/v1/me", lines: bytes = b"", host: bytes = HOST) -> int:
    """Return the status of a GET with the administrator's token and more header lines."""
    token = f"Authorization: Bearer {installation.token()}\r\n".encode()
    reply = send(installation, b"GET " + target + b" HTTP/1.1\r\n" + host + token + lines + b"\r\n")
    return 0 if reply is None else reply.status


def post(installation: Installation, body: object, **headers: str) -> tuple[int, str]:
    """Return status and code of the creation of an account; ``bytes`` are sent as they are."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {
        "Host": "127.0.0.1",
        "Authorization": f"Bearer {installation.token()}",
        "Content-Type": "application/json",
        "Content-Length": str(len(raw)),
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode()
    reply = send(installation, b"POST " + ACCOUNTS.encode() + b" HTTP/1.1\r\n" + head + b"\r\n" + raw)
    assert reply is not None
    return reply.status, reply.json().get("code", "")
