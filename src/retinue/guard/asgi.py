"""Protects an ASGI application: ``asgi.Protect(app, Guard(), rules={"GET /reports*": "report:read"})``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

from retinue.guard.admission import Door, Request
from retinue.guard.core import Guard
from retinue.guard.outcome import Caller, Denied
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
        self._app = app
        self._door = Door(guard, trusted_proxies=trusted_proxies)
        self._rules = Rules(rules, public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            caller = await self._admit(request_of(scope))
        except Denied as denied:
            await refuse(scope, send, denied)
            return
        if caller is None:
            await self._app(scope, receive, send)
            return
        scope[CALLER] = caller
        await self._app(scope, receive, telling(send, caller))

    async def _admit(self, request: Request) -> Caller | None:
        if self._door.guard.is_remote:
            return await asyncio.to_thread(self._door.by_rules, self._rules, request)
        return self._door.by_rules(self._rules, request)


def telling(send: Send, caller: Caller) -> Send:
    """Return a ``send`` that adds what the caller should know to the answer."""
    told = [(name.lower().encode(), value.encode()) for name, value in caller.headers.items()]
    if not told:
        return send

    async def tell(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.accept"):
            message = {**message, "headers": [*message.get("headers", ()), *told]}
        await send(message)

    return tell


async def refuse(scope: Scope, send: Send, denied: Denied) -> None:
    """Send a denial."""
    if scope["type"] == "websocket":
        # Before it is accepted a connection can only be closed: the server answers 403.
        await send({"type": "websocket.close", "code": 1008, "reason": denied.reason})
        return
    body = denied.body
    headers = [(name.lower().encode(), value.encode()) for name, value in denied.headers.items()]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": denied.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def request_of(scope: Scope) -> Request:
    """Return what a scope says of a request; the path as it came, where the server tells."""
    raw = scope.get("raw_path")
    path = scope["path"] if raw is None else raw.partition(b"?")[0].decode("latin-1")
    fields: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        key = name.lower()
        fields[key] = fields[key] + b", " + value if key in fields else value
    client = scope.get("client")
    return Request(scope.get("method", "GET"), path, fields, None if client is None else client[0])
