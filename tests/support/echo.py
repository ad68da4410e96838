"""An application behind a gateway that shows what reached it: every request as it came, byte by byte."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO


@dataclass(frozen=True)
class Seen:
    """One request. Header fields in their order, names as they came."""

    method: str
    target: str
    fields: tuple[tuple[str, str], ...]
    body: bytes = b""
    #: What followed the body.
    trailers: tuple[tuple[str, str], ...] = ()

    def values(self, name: str) -> list[str]:
        """Return the values of all lines of a field, whatever the case of its name."""
        return [value for each, value in self.fields if each.lower() == name.lower()]


@dataclass
class Echo:
    """The application: a listening socket, and what it has seen."""

    listener: socket.socket
    seen: list[Seen] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Where it listens on the loopback."""
        return int(self.listener.getsockname()[1])

    def about(self, mark: str) -> list[Seen]:
        """Return the requests that mention ``mark`` anywhere."""
        return [each for each in list(self.seen) if mark in repr(each)]

    def serve(self) -> None:
        """Answer connections until the listener is closed."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection: socket.socket) -> None:
        """Answer one connection until it ends."""
        with connection, suppress(OSError, ValueError, EOFError):
            stream = connection.makefile("rb")
            while True:
                seen = read(stream)
                self.seen.append(seen)
                self.reply(connection, seen)

    @staticmethod
    def reply(connection: socket.socket, seen: Seen) -> None:
        """Answer a request with what it was."""
        told = {"retinue_echo": 1, "method": seen.method, "target": seen.target, "headers": seen.fields}
        body = json.dumps(told).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + (b"" if seen.method == "HEAD" else body))


def read(stream: BinaryIO) -> Seen:
    """Read one request. Raises ``EOFError`` at the end, ``ValueError`` for what is none."""
    line = _line(stream)
    method, target, _ = line.split(" ", 2)
    fields: list[tuple[str, str]] = []
    trailers: list[tuple[str, str]] = []
    while line := _line(stream):
        name, _, value = line.partition(":")
        fields.append((name, value.strip()))
    named = {name.lower(): value for name, value in fields}
    body = b""
    if "chunked" in named.get("transfer-encoding", "").lower():
        while size := int(_line(stream).partition(";")[0], 16):
            body += stream.read(size)
            _line(stream)
        while line := _line(stream):
            name, _, value = line.partition(":")
            trailers.append((name, value.strip()))
    elif length := int(named.get("content-length", "0")):
        body = stream.read(length)
    return Seen(method, target, tuple(fields), body, tuple(trailers))


def _line(stream: BinaryIO) -> str:
    line = stream.readline()
    if not line:
        raise EOFError
    return line.rstrip(b"\r\n").decode("latin-1")
