"""The outside world on loopback: a web server that webhooks are sent to, and a mail server."""

from __future__ import annotations

import asyncio
import email
import email.policy
import http.server
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

logging.getLogger("mail.log").setLevel(logging.WARNING)


@dataclass
class Received:
    """One request that came in."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Takes POSTs, and answers with the statuses that it is told, the last one for ever."""

    url: str = ""
    statuses: list[int] = field(default_factory=lambda: [204])
    location: str = ""
    got: list[Received] = field(default_factory=list)
    #: Of each request, whether it was taken.
    took: list[bool] = field(default_factory=list)

    def next_status(self) -> int:
        """The status of the next answer."""
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Serve on loopback until the end of the block."""
    here = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            here.got.append(Received(self.path, headers, body))
            status = here.next_status()
            here.took.append(200 <= status < 300)
            self.send_response(status)
            if here.location:
                self.send_header("Location", here.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield here
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class MailSink:
    """Keeps every mail. ``refuses`` are recipients that are unknown for good; ``is_busy`` refuses all for now."""

    port: int = 0
    got: list[EmailMessage] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    is_busy: bool = False

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        """Take a recipient, or not."""
        if self.is_busy:
            return "451 try again later"
        if address in self.refuses:
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Take a mail."""
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        self.got.append(parsed)
        return "250 OK"

    def to(self, address: str) -> list[EmailMessage]:
        """The mails to one person."""
        return [each for each in self.got if each["To"] == address]


class _AnyPort(Controller):
    """The library asks its own port whether it runs; of port 0 only the socket knows which one that is."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def mail_sink() -> Iterator[MailSink]:
    """Serve SMTP on loopback until the end of the block."""
    sink = MailSink()
    controller = _AnyPort(sink, hostname="127.0.0.1", port=0)
    controller.start()
    sink.port = controller.port
    try:
        yield sink
    finally:
        controller.stop()
