"""Protects an ASGI application: ``asgi.Protect(app, Guard(), rules={"GET /reports*": "report:read"})``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import unquote_to_bytes

from retinue.guard.admission import Door, Request
from retinue.guard.core import Admitted, Guard, GuardError
from retinue.guard.deciding import Log
from retinue.guard.outcome import Denied
from retinue.guard.rules import Rules

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Where the application finds its caller in the scope.
CALLER = "retinue.caller"


class Protect:
    """Lets in what a rule allows; a path without a rule is refused. ``public`` needs no token."""

    def __init__(
        self,
        app: App,
        guard: Guard,
        rules: Mapping[str, str | Iterable[str]],
        *,
        public: Iterable[str] = (),
        trusted_proxies: Iterable[str] = (),
    ) -> None:
        """Raises :class:`retinue.guard.rules.RuleError` for a rule that is none."""
        self.app = app
        self._door = Door(guard, trusted_proxies=trusted_proxies)
        self.rules = Rules(rules, public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or connection."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] not in ("http", "websocket"):
            raise GuardError(f"{scope['type']}: a kind of connection that no rule is about")
        request = request_of(scope)

        def decide() -> Admitted | None:
            return self._door.by_rules(self.rules, request)

        await answer(self.app, self._door, decide, scope, receive, send)


async def answer(
    app: App, door: Door, decide: Callable[[], Admitted | None], scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer a request by ``app`` if ``decide`` lets it in; what a node decides is waited for in a thread."""
    try:
        admitted = await asyncio.to_thread(decide) if door.guard.is_remote else decide()
    except Denied as denied:
        await refuse(scope, send, denied)
        return
    if admitted is None:
        await app(scope, receive, send)
        return
    scope[CALLER] = admitted.caller
    told = _Telling(send, admitted)
    try:
        await app(scope, receive, told)
    except BaseException as error:
        # What a framework makes of its own exceptions further out, it says in this attribute.
        status = getattr(error, "status_code", 500)
        told.finish(status if isinstance(status, int) else 500)
        raise
    told.finish(None)


class _Telling:
    """A ``send`` that adds what the caller should know to the answer, and logs its status."""

    def __init__(self, send: Send, admitted: Admitted) -> None:
        self._send = send
        self._log: Log | None = admitted.finish
        self._told = [
            (name.lower().encode(), value.encode()) for name, value in admitted.caller.headers.items()
        ]

    async def __call__(self, message: Message) -> None:
        status = _STATUS.get(message["type"], message.get("status"))
        if status is not None:
            self.finish(status)
            if self._told and message["type"] in _STARTING:
                message = {**message, "headers": [*message.get("headers", ()), *self._told]}
        await self._send(message)

    def finish(self, status: int | None) -> None:
        """Log it, if that was not done yet."""
        log, self._log = self._log, None
        if log is not None:
            log(status)


_STARTING = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})
#: What a server makes of the first answer on a WebSocket.
_STATUS = {"websocket.accept": 101, "websocket.close": 403}


async def refuse(scope: Scope, send: Send, denied: Denied) -> None:
    """Send a denial. A server that cannot do so before a WebSocket is accepted closes it (403)."""
    kind = "http.response"
    if scope["type"] == "websocket":
        kind = "websocket.http.response"
        if kind not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": 1008, "reason": denied.reason})
            return
    body = denied.body
    headers = [(name.lower().encode(), value.encode()) for name, value in denied.headers.items()]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": f"{kind}.start", "status": denied.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": b"" if scope.get("method") == "HEAD" else body})


def request_of(scope: Scope) -> Request:
    """Return what a scope says of a request."""
    fields: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        key = name.lower()
        fields[key] = fields[key] + b", " + value if key in fields else value
    client = scope.get("client")
    return Request(scope.get("method", "GET"), _path(scope), fields, None if client is None else client[0])


def _path(scope: Scope) -> str:
    """Return the path as it came, so that an encoded slash is seen, where the server tells it.

    It counts only if it is the one by which the application goes: what was rewritten on the way here is two.
    """
    path: str = scope["path"]
    raw = scope.get("raw_path")
    if raw is None:
        return path
    came = raw.partition(b"?")[0]
    served = unquote_to_bytes(came).decode("utf-8", "replace")
    # Some servers leave out where the application is mounted.
    return came.decode("latin-1") if served in (path, scope.get("root_path", "") + path) else path
