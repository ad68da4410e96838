"""HTTP on raw sockets: what a library would not let a client send, and answers read to the last byte."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass
class Reply:
    """One answer: status, header fields by lower-case name, and the body."""

    status: int
    fields: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body read as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The problem's code."""
        return str(self.json()["code"])


class Wire:
    """A connection to the node. Reads give up after ``timeout`` seconds."""

    def __init__(self, port: int, *, timeout: float = 60.0, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(("127.0.0.1", port))
        self._held = b""

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send ``data``; a peer that has already ended the connection is not an error here."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def reply(self, *, has_body: bool = True) -> Reply:
        """Read one answer. Raises ``EOFError`` if the connection ends before it is complete."""
        while b"\r\n\r\n" not in self._held:
            self._more()
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        fields = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        length = int(fields.get("content-length", "0")) if has_body else 0
        while len(self._held) < length:
            self._more()
        body, self._held = self._held[:length], self._held[length:]
        return Reply(int(lines[0].split(" ")[1]), fields, body)

    def replies(self) -> Iterator[Reply]:
        """Read answers until the connection ends."""
        with contextlib.suppress(EOFError):
            while True:
                yield self.reply()

    def ended_after(self) -> float:
        """Read until the peer ends the connection; return how many seconds that took."""
        started = time.monotonic()
        with contextlib.suppress(ConnectionResetError):
            while self.socket.recv(65536):
                pass
        return time.monotonic() - started

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        self._held += data


def request(target: str = "/healthz", *fields: str, method: str = "GET", body: bytes | None = None) -> bytes:
    """Return a well-formed request."""
    lines = [f"{method} {target} HTTP/1.1", "Host: node", *fields]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b"")


def ask(port: int, target: str, *fields: str, method: str = "GET", body: bytes | None = None) -> Reply:
    """Send one well-formed request on a connection of its own and return the answer."""
    with Wire(port) as wire:
        wire.send(request(target, *fields, method=method, body=body))
        return wire.reply(has_body=method != "HEAD")


def exchange(port: int, data: bytes) -> Reply:
    """Send ``data`` as it is on a connection of its own and return the first answer."""
    with Wire(port) as wire:
        wire.send(data)
        return wire.reply()
