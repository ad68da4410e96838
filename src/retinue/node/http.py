"""The node's listener: one protocol class over httptools. Parsing, limits, deadlines, nothing else.

A request is answered in the moment in which its last byte is parsed, so pipelined requests are answered in
their order and nothing waits in a queue. What can be held by a stranger is bounded: 16 KiB of header,
64 KiB of body, one slice of 16 KiB worked off a turn, and no reading while a peer does not read.

Time is coarse. A sweep notes the time some times a second; connections copy it when something begins, and
the sweep ends those that have taken too long. No request costs a timer.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, NoReturn, cast

import httptools

from retinue.node import exchange
from retinue.node.exchange import FIELDS, NO_HEAD, SINGLE_FIELDS, Handler, Head, Listener, Operation, Request
from retinue.node.responses import with_close

MAX_HEADER_BYTES = 16 << 10
MAX_HEADERS = 64
MAX_URL_BYTES = 8 << 10
#: Seconds for a header block, for a body, and of silence; a sweep may notice it SWEEP_SECONDS later.
PATIENCE_SECONDS = 4.6
#: Seconds that a peer may leave our answers unread.
UNREAD_SECONDS = 10.0
#: Seconds in which a peer that was refused may still send; it is thrown away unread, so that the refusal
#: arrives before the connection is reset.
LINGER_SECONDS = 1.0
SWEEP_SECONDS = 0.2

log = logging.getLogger("retinue.node")


class _Stop(Exception):
    """Ends the parser in the middle of its work: the answer is written, or the request is refused."""


class Connection(asyncio.Protocol):
    """One connection of a client."""

    __slots__ = (
        "_backlog", "_between", "_block", "_choked", "_count", "_ended", "_head", "_in_body", "_length",
        "_listener", "_operation", "_out", "_parser", "_quiet", "_request", "_rest", "_seen", "_since",
        "_transport",
    )  # fmt: skip

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._out: list[bytes] = []
        self._backlog: memoryview | None = None
        self._since = listener.now
        # Between two requests. The first one has its time from the connection on, later ones from their
        # first byte on.
        self._quiet = False
        self._in_body = False
        self._ended = False  # the last answer is written; whatever comes is thrown away
        self._choked = False  # the peer does not read
        self._seen = 0  # bytes of a header block that is not complete
        self._count = 0  # header lines
        self._length = 0  # bytes of the body, as announced
        self._operation = NO_HEAD.operation
        self._parser: Any = None
        self._head = NO_HEAD  # the last header block whose meaning was kept
        self._between = True  # the parser has seen whole requests and nothing of the next one
        self._block = b""  # the header block that came, if it came at once when the parser stood between two
        self._rest = 0  # how many bytes came with it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._since = self._listener.now
        if len(self._listener.connections) >= self._listener.max_connections:
            self._ended = True
            self._transport.abort()
            return
        peer = transport.get_extra_info("peername")
        self._request = self._new_request(peer[0] if peer else "")
        self._parser = httptools.HttpRequestParser(self)
        self._listener.connections.add(self)
        self._listener.application.connection(+1)

    def _new_request(self, peer: str) -> Request:
        return Request(peer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._backlog = None
        self._parser = None  # the parser and this object hold each other
        if self in self._listener.connections:
            self._listener.connections.discard(self)
            self._listener.application.connection(-1)

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        self._block = b""
        if self._between:
            again = self._head.again
            if again is not None and not self._listener.draining:
                try:
                    answer = again(data)
                except Exception:
                    answer = self._failed()
                if answer is not None:
                    self._since = self._listener.now
                    self._transport.write(answer)
                    return
            block, end, rest = data.partition(b"\r\n\r\n")
            head = self._listener.heads.get(block)
            if head is not None and end and head.length == len(rest) and not self._listener.draining:
                self._answer_known(head, rest)
                return
            self._between = False
            self._block, self._rest = block, len(rest)
        if self._quiet:
            self._quiet = False
            self._since = self._listener.now
        if len(data) + self._seen > MAX_HEADER_BYTES:
            self._backlog = memoryview(data)
            self._transport.pause_reading()
            self._work()
            return
        self._feed(data)
        out = self._out
        if out:
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))
            out.clear()

    def pause_writing(self) -> None:
        self._choked = True
        self._since = self._listener.now
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._choked = False
        self._since = self._listener.now
        if self._backlog is not None:
            self._work()
        elif not self._transport.is_closing():
            self._transport.resume_reading()

    def check(self, now: float) -> None:
        """End the connection if it has taken too long, or if it is quiet and the worker goes down."""
        age = now - self._since
        if self._ended:
            if age > (UNREAD_SECONDS if self._transport.get_write_buffer_size() else LINGER_SECONDS):
                self._transport.abort()
        elif self._choked:
            if age > UNREAD_SECONDS:
                self._transport.abort()
        elif self._quiet or not (self._seen or self._in_body):
            # The sweep comes before what is to be read in a turn: after a stall a request may lie there.
            late = age > (LINGER_SECONDS if self._listener.draining else PATIENCE_SECONDS)
            if late and not exchange.has_unread(self._transport):
                self._ended = True
                self._transport.close()
        elif age > PATIENCE_SECONDS and self._backlog is None:
            self._refuse("request_timeout")
            self._flush()

    def on_url(self, url: bytes) -> None:
        if self._ended:
            raise _Stop
        target = self._request.target + url if self._request.target else url
        if len(target) > MAX_URL_BYTES:
            self._stop("uri_too_long")
        self._request.target = target

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count += 1
        field = FIELDS.get(name)
        if field is None:
            field = FIELDS.get(name.lower(), b"")
        if field:
            fields = self._request.fields
            if field in fields:
                if field in SINGLE_FIELDS:
                    self._stop("bad_request")
                value = fields[field] + b"," + value
            fields[field] = value

    def on_headers_complete(self) -> None:
        request = self._request
        fields = request.fields
        if self._count > MAX_HEADERS:
            self._stop("headers_too_large")
        if not fields.get(b"host"):
            self._stop("bad_request")
        if b"transfer-encoding" in fields:
            self._stop("length_required")
        request.method = self._parser.get_method()
        operation = self._listener.application.find(request)
        length = fields.get(b"content-length")
        self._length = int(length or b"0")
        if length is not None or b"expect" in fields or operation.guard is not None:
            self._before_body(operation, self._length)
        self._in_body = True
        self._operation = operation

    def on_body(self, body: bytes) -> None:
        held = self._request.body
        self._request.body = held + body if held else body

    def on_message_complete(self) -> None:
        request = self._request
        last = not self._parser.should_keep_alive() or self._listener.draining
        if last or b"connection" in request.fields:
            last = self._is_last()
        answer = self._answer(self._operation.handle)
        if last:
            self._last(answer)
        else:
            self._out.append(answer)
            self._remember()
        self._since = self._listener.now
        self._quiet = True
        self._in_body = False
        self._seen = self._count = 0
        request.target = request.body = b""
        request.fields = {}

    def _answer_known(self, head: Head, body: bytes) -> None:
        """Answer one whole request whose header block means what it meant before."""
        self._head = head
        request = self._request
        request.method = head.method
        request.target = head.target
        request.fields = head.fields
        request.body = body
        request.head = head
        self._since = self._listener.now
        self._quiet = True
        try:
            answer = head.operation.handle(request)
        except Exception:
            answer = self._failed()
        self._transport.write(answer)
        request.target = request.body = b""
        request.fields = {}
        request.head = None

    def _remember(self) -> None:
        """Keep the meaning of the header block if what came was this one request, no more and no less."""
        block, self._block = self._block, b""
        if block and self._rest == self._length:
            self._between = True
            if Head.may_keep(block, self._request.fields, self._operation):
                self._listener.keep(block, Head(self._request, self._operation, self._length, block))

    def _is_last(self) -> bool:
        """Tell whether the connection ends with this request. What is not HTTP/1.x ends with a refusal."""
        version = self._parser.get_http_version()
        if version not in ("1.1", "1.0"):
            self._stop("bad_request")
        return version == "1.0" or self._listener.draining or not self._parser.should_keep_alive()

    def _before_body(self, operation: Operation, length: int) -> None:
        """What is decided from the header alone: size, who asks, and whether a body is read at all."""
        if operation.reads_body and length > operation.most_bytes:
            self._stop("too_large")
        expected = self._request.fields.get(b"expect")
        if expected is not None and expected.strip().lower() != b"100-continue":
            self._stop("expectation_failed")
        if operation.guard is not None:
            refused = operation.guard(self._request)
            if refused is not None:
                self._last(refused)
                raise _Stop
        if not length:
            return
        if not operation.reads_body:
            self._last(self._answer(operation.handle))
            raise _Stop
        self._since = self._listener.now  # a body has its own deadline
        if expected is not None and self._parser.get_http_version() == "1.1":
            self._out.append(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _feed(self, data: bytes | memoryview) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Another protocol is not spoken here: the request is answered as it stands, and that is all.
            if not self._ended and self._out:
                self._last(self._out.pop())
        except httptools.HttpParserError as error:
            if not self._ended:
                self._fail(error.__context__)
        else:
            if not (self._quiet or self._in_body or self._ended):
                self._seen += len(data)
                if self._seen >= MAX_HEADER_BYTES:
                    self._refuse("headers_too_large")

    def _fail(self, cause: BaseException | None) -> None:
        """Refuse what is not HTTP; but own up to an error of ours."""
        if cause is None:
            self._refuse("bad_request")
        else:
            log.error("the listener failed", exc_info=cause)
            self._last(self._listener.application.failure())

    def _work(self) -> None:
        """Work off one slice of what came at once, and leave the turn to other connections."""
        if self._backlog is None or (self._choked and not self._ended):
            return
        if self._ended:  # what still comes is thrown away until the peer has heard the answer
            self._backlog = None
        else:
            size = max(MAX_HEADER_BYTES - self._seen, 1)
            piece, rest = self._backlog[:size], self._backlog[size:]
            self._backlog = rest if len(rest) else None
            self._quiet = False
            self._feed(piece)
            self._flush()
        if self._backlog is not None:
            self._listener.loop.call_soon(self._work)
        elif not self._choked and not self._transport.is_closing():
            self._transport.resume_reading()

    def _answer(self, handle: Handler) -> bytes:
        try:
            return handle(self._request)
        except Exception:
            return self._failed()

    def _failed(self) -> bytes:
        log.exception("a request could not be answered")
        return self._listener.application.failure()

    def _stop(self, code: str) -> NoReturn:
        self._refuse(code)
        raise _Stop

    def _refuse(self, code: str) -> None:
        self._last(self._listener.application.refusal(code))

    def _last(self, answer: bytes) -> None:
        """Queue the last answer of this connection."""
        self._out.append(with_close(answer))
        self._ended = True
        self._since = self._listener.now
        self._listener.loop.call_soon(self._finish)

    def _flush(self) -> None:
        if self._out and not self._transport.is_closing():
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def _finish(self) -> None:
        """Say that nothing more comes; the peer ends the connection then, or the sweep does."""
        self._flush()
        self._ended = True
        self._since = self._listener.now
        if not self._transport.is_closing():
            self._transport.write_eof()
