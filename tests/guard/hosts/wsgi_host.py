"""A bare WSGI application behind ``wsgi.Protect``; it begins to answer when its body is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from retinue.guard import Guard, wsgi
from tests.guard.hosts.table import PUBLIC, RULES


def make(guard: Guard) -> Callable[..., Any]:
    """Return the protected application."""
    return wsgi.Protect(_app, guard, RULES, public=PUBLIC)


def _app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    if environ["PATH_INFO"] == "/broken":
        raise ZeroDivisionError
    caller = environ.get(wsgi.CALLER)
    status = "201 Created" if environ["REQUEST_METHOD"] == "POST" else "200 OK"
    start_response(status, [("Content-Type", "application/json")])
    yield json.dumps({"hello": caller.name if caller else None}).encode()
