"""The listener of a relay, on a thread of the follower's process: the node's own, with answers that come
later.

A poll may be held. Meanwhile nothing is read from its connection, and what follows on it without waiting for
the answer ends it: no follower does that.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

import uvloop

from retinue.node.exchange import Listener, Request
from retinue.node.http import SWEEP_SECONDS, Connection
from retinue.node.relay_admission import RelayRequest
from retinue.node.relay_routes import Changed, Later, RelayRoutes

_log = logging.getLogger("retinue.relay")
#: Each child has two: one for its polls, one for the request log; a relay has more.
MOST_CONNECTIONS = 2_048
_BACKLOG = 256
_START_SECONDS = 10.0


class HeldConnection(Connection):
    """A connection of a node that follows."""

    __slots__ = ("_answering", "_routes")

    def __init__(self, listener: Listener, routes: RelayRoutes) -> None:
        super().__init__(listener)
        self._routes = routes
        self._answering: asyncio.Task[None] | None = None

    def _new_request(self, peer: str) -> Request:
        return RelayRequest(peer)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._answering is not None:
            self._answering.cancel()

    def check(self, now: float) -> None:
        """End the connection if it has taken too long; while it waits for us it may wait."""
        if self._answering is None:
            super().check(now)

    def on_url(self, url: bytes) -> None:
        if self._answering is not None:  # it did not wait for the answer
            self._stop("bad_request")
        super().on_url(url)

    def on_message_complete(self) -> None:
        request = self._request
        later = self._routes.later(request)
        if later is None or not isinstance(request, RelayRequest):
            super().on_message_complete()
            return
        is_last = self._is_last()
        self._transport.pause_reading()
        self._answering = self._listener.loop.create_task(self._answer_later(request, later, is_last))

    async def _answer_later(self, request: RelayRequest, later: Later, is_last: bool) -> None:
        answer = await self._routes.answer(request, later)
        self._answering = None
        if self._ended or self._transport.is_closing():
            return
        self._request = self._new_request(request.peer)
        self._since = self._listener.now
        self._quiet, self._in_body = True, False
        self._seen = self._count = 0
        if is_last or self._listener.draining:
            self._last(answer)
            return
        self._transport.write(answer)
        self._transport.resume_reading()


class RelayServer(threading.Thread):
    """Serves until it is stopped. ``make`` is called on its thread, with what wakes held polls."""

    def __init__(self, host: str, port: int, make: Callable[[Changed], RelayRoutes]) -> None:
        super().__init__(name="retinue-relay", daemon=True)
        self._listening = _listen(host, port)
        self._make = make
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._changed: Changed | None = None
        self._is_up = threading.Event()

    def start(self) -> None:
        """Begin to serve; returns when it does."""
        super().start()
        self._is_up.wait(_START_SECONDS)

    def run(self) -> None:
        """Serve until stopped."""
        uvloop.run(self._serve())

    def announce(self) -> None:
        """Wake the polls that are held: the replica was written. From any thread."""
        if self._changed is not None:
            self._changed.announce()

    def stop(self, seconds: float) -> None:
        """Answer what is held, and end within ``seconds``."""
        if self._loop is not None and self._ending is not None and not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._ending.set)
        self.join(seconds)

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        self._loop, self._ending = loop, asyncio.Event()
        self._changed = Changed(loop)
        routes = self._make(self._changed)
        listener = Listener(routes, loop, MOST_CONNECTIONS)
        server = await loop.create_server(
            lambda: HeldConnection(listener, routes), sock=self._listening, backlog=_BACKLOG
        )
        self._is_up.set()
        sweeping = asyncio.create_task(_sweep(listener, routes))
        await self._ending.wait()
        routes.draining = listener.draining = True
        self._changed.announce()
        await asyncio.sleep(SWEEP_SECONDS)
        server.close()
        sweeping.cancel()


async def _sweep(listener: Listener, routes: RelayRoutes) -> None:
    while True:
        try:
            listener.sweep()
            routes.refresh()
        except Exception:
            _log.exception("the relay's housekeeping failed; it goes on")
        await asyncio.sleep(SWEEP_SECONDS)


def _listen(host: str, port: int) -> socket.socket:
    found: Any = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    listening = socket.socket(found[0], socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(found[4])
    listening.setblocking(False)
    listening.listen(_BACKLOG)
    return listening
