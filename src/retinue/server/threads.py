"""Django behind granian's RSGI: each call runs in a thread, as under WSGI; its body is read when it is asked
for, so that a call is refused by its headers, whatever has come of its body.
"""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import sys
from collections.abc import Callable, Iterable
from concurrent import futures
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler

from retinue.server.api.limits import MOST_HELD_THREADS
from retinue.server.api.polling import MOST_ALONE
from retinue.server.ledger.giving_way import answering

_log = logging.getLogger("retinue.api")
#: A body on its way and a change that waits for nodes each keep a thread; as many are left for polls that are
#: answered one by one, and 16 for everything else.
MOST_THREADS = MOST_HELD_THREADS + MOST_ALONE + 16
#: Of bodies up to this size the loop takes what comes while the thread looks at the headers.
MOST_AHEAD = 64 << 10
_CONSTANT = {
    "SCRIPT_NAME": "",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "wsgi.version": (1, 0),
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
}
#: Header fields that have names of their own.
_NAMES = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
Headers = list[tuple[str, str]]
#: Status, headers and body.
Answer = tuple[int, Headers, bytes]


class Body(io.RawIOBase):
    """The body of a request, for the thread that reads it. Of a small one the loop has begun to take what
    comes (``ahead``); of a large one it takes nothing before it is asked.
    """

    def __init__(
        self, protocol: Any, loop: asyncio.AbstractEventLoop, ahead: futures.Future[bytes] | None
    ) -> None:
        self._chunks = None if ahead is not None else protocol.__aiter__()
        self._loop = loop
        self._ahead = ahead
        self._kept = memoryview(b"")
        self._has_ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        """Fill ``into`` with what has come, waiting for something. Raises ``OSError`` if it breaks off."""
        while not self._kept and not self._has_ended:
            try:
                self._kept = memoryview(self._next())
            except Exception as error:
                raise OSError(f"the body broke off: {error}") from None
        size = min(len(into), len(self._kept))
        into[:size] = self._kept[:size]
        self._kept = self._kept[size:]
        return size

    def _next(self) -> bytes:
        if self._ahead is not None:
            self._has_ended = True
            return self._ahead.result()
        return asyncio.run_coroutine_threadsafe(self._chunk(), self._loop).result()

    async def _chunk(self) -> bytes:
        chunk: bytes = await anext(self._chunks, b"")  # type: ignore[arg-type]
        self._has_ended = not chunk
        return chunk


class Calls:
    """Answers requests by Django, in threads."""

    def __init__(self, loop: asyncio.AbstractEventLoop, threads: futures.Executor) -> None:
        self._django = WSGIHandler()
        import_module(settings.ROOT_URLCONF)  # now: the time of the first call is for its work
        # What lives as long as the process need not be looked at again: all threads stood still for 0.1 s.
        gc.collect()
        gc.freeze()
        self._loop = loop
        self._threads = threads
        self.is_ending = False

    async def answer(self, scope: Any, protocol: Any) -> None:
        """Answer one request. Returns when it is answered."""
        environ = _environ(scope)
        taking, ahead = None, None
        if _is_small(environ.get("CONTENT_LENGTH", "")):
            ahead = futures.Future[bytes]()
            taking = self._loop.create_task(_take(protocol, ahead))
        environ["wsgi.input"] = io.BufferedReader(Body(protocol, self._loop, ahead))
        done = self._loop.create_future()
        self._threads.submit(self._send, environ, protocol, done)
        await done
        if taking is not None:
            taking.cancel()

    async def ask(self, scope: Any, sent: bytes) -> Answer:
        """Return the answer to a request whose body is ``sent``, whatever has come as its body."""
        environ = {**_environ(scope), "CONTENT_LENGTH": str(len(sent)), "wsgi.input": io.BytesIO(sent)}
        return await self._loop.run_in_executor(self._threads, self._answered, environ)

    def _send(self, environ: dict[str, Any], protocol: Any, done: asyncio.Future[None]) -> None:
        try:
            protocol.response_bytes(*self._answered(environ))
        finally:
            self._loop.call_soon_threadsafe(done.set_result, None)

    def _answered(self, environ: dict[str, Any]) -> Answer:
        """Return the answer, whatever happens."""
        try:
            with answering():
                return self._asked(environ)
        except Exception:
            _log.exception("a call could not be answered")
            return 500, [], b""

    def _asked(self, environ: dict[str, Any]) -> Answer:
        if self.is_ending and environ["PATH_INFO"] == "/readyz":
            return 503, [("Connection", "close"), ("Retry-After", "1")], b""
        told: list[tuple[int, Headers]] = []

        def start_response(status: str, headers: Headers, *_: Any) -> Callable[[bytes], object]:
            told.append((int(status[:3]), headers))
            return lambda _: None

        answer: Iterable[bytes] = self._django(environ, start_response)
        try:
            body = b"".join(answer)
        finally:
            answer.close()  # type: ignore[attr-defined]
        status, headers = told[0]
        return status, [*headers, ("Connection", "close")] if self.is_ending else headers, body


def _is_small(length: str) -> bool:
    return length.isascii() and length.isdigit() and 0 < int(length) <= MOST_AHEAD


async def _take(protocol: Any, ahead: futures.Future[bytes]) -> None:
    """Take the whole body as it comes."""
    try:
        ahead.set_result(await protocol())
    except asyncio.CancelledError:
        ahead.cancel()
        raise
    except Exception as error:
        ahead.set_exception(error)


def _environ(scope: Any) -> dict[str, Any]:
    """Return what WSGI says of a request. Fields that stand twice are joined, and are thus no valid value."""
    host, _, port = scope.server.rpartition(":")
    environ: dict[str, Any] = {
        **_CONSTANT,
        "REQUEST_METHOD": scope.method,
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "wsgi.url_scheme": scope.scheme,
        "wsgi.errors": sys.stderr,
    }
    for name, value in scope.headers.items():
        key = _NAMES.get(name) or "HTTP_" + name.upper().replace("-", "_")
        if key in environ:
            value = environ[key] + (";" if name == "cookie" else ",") + value
        environ[key] = value
    return environ
