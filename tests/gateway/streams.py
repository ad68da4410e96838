"""An application that accepts every upgrade: a WebSocket is echoed, anything else carries requests unseen by a gateway."""

from __future__ import annotations

import base64
import hashlib
import secrets
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, Self

from tests.node.wire import Reply, Wire, request
from tests.support.echo import Echo, Seen, read

#: RFC 6455, section 1.3.
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accepted(key: str) -> str:
    """Return the ``Sec-WebSocket-Accept`` for a ``Sec-WebSocket-Key``."""
    return base64.b64encode(hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest()).decode()


def frame(text: str, mask: bytes = b"") -> bytes:
    """Return one short text frame; a client masks what it sends."""
    data = text.encode()
    assert len(data) < 126
    key = mask or bytes(4)
    masked = bytes(each ^ key[place % 4] for place, each in enumerate(data))
    return bytes([0x81, len(data) | (0x80 if mask else 0)]) + mask + masked


def read_frame(stream: BinaryIO) -> str:
    """Read one short frame and return its text. Raises ``EOFError`` at the end."""
    head = stream.read(2)
    if len(head) < 2:
        raise EOFError
    mask = stream.read(4) if head[1] & 0x80 else bytes(4)
    data = stream.read(head[1] & 0x7F)
    return bytes(each ^ mask[place % 4] for place, each in enumerate(data)).decode()


class Streams(Echo):
    """The application; what it is asked after an upgrade to another protocol, it takes for requests, too."""

    def answer(self, connection: socket.socket) -> None:
        """Answer one connection until it ends."""
        with connection, suppress(OSError, ValueError, EOFError):
            stream = connection.makefile("rb")
            while True:
                seen = read(stream)
                self.seen.append(seen)
                wanted = seen.values("Upgrade")
                if not wanted or "upgrade" not in ",".join(seen.values("Connection")).lower():
                    self.reply(connection, seen)
                    continue
                self._switch(connection, seen, wanted[0])
                if wanted[0].lower() == "websocket":
                    while True:
                        connection.sendall(frame(read_frame(stream)))

    @staticmethod
    def _switch(connection: socket.socket, seen: Seen, protocol: str) -> None:
        key = (seen.values("Sec-WebSocket-Key") or [""])[0]
        lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", f"Upgrade: {protocol}"]
        connection.sendall(
            ("\r\n".join([*lines, f"Sec-WebSocket-Accept: {accepted(key)}"]) + "\r\n\r\n").encode()
        )


class Duplex(Wire):
    """A connection to a gateway that may become a WebSocket; by TLS with a context."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(port)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="127.0.0.1")

    def __enter__(self) -> Self:
        return self

    def upgrade(self, target: str, *fields: str) -> Reply:
        """Ask for a WebSocket, with these header fields; return what is answered."""
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        asked = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
        self.send(request(target, *asked, f"Sec-WebSocket-Key: {key}", *fields))
        reply = self.reply()
        assert reply.status != 101 or accepted(key) == reply.fields["sec-websocket-accept"]
        return reply

    def say(self, text: str) -> str:
        """Send a text frame and return the next one that comes."""
        self.send(frame(text, secrets.token_bytes(4)))
        return read_frame(self.socket.makefile("rb"))


@contextmanager
def start_streams() -> Iterator[Streams]:
    """Start the application on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        streams = Streams(listener)
        thread = threading.Thread(target=streams.serve, daemon=True)
        thread.start()
        yield streams
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)
