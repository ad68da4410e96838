"""A bare ASGI application behind ``asgi.Protect``."""

from __future__ import annotations

import json

from retinue.guard import Guard, asgi
from tests.guard.hosts.table import PUBLIC, RULES


def make(guard: Guard) -> asgi.App:
    """Return the protected application."""
    return asgi.Protect(_app, guard, RULES, public=PUBLIC)


async def _app(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
    if scope["path"] == "/broken":
        raise ZeroDivisionError
    caller = scope.get(asgi.CALLER)
    body = json.dumps({"hello": caller.name if caller else None}).encode()
    status = 201 if scope["method"] == "POST" else 200
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
