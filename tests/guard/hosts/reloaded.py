"""The Flask host over a real replica, for a server with several workers; it tells which one answered."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from retinue.guard import Guard
from tests.guard.hosts import flask_host
from tests.guard.hosts.__main__ import ORGANIZATION

_app = flask_host.make(Guard(ORGANIZATION))
#: Decided before a worker is forked, if the server loads the application first.
_app.test_client().get("/reports")


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer as the host does, with the worker's process in a field."""

    def start(status: str, fields: list[tuple[str, str]], *rest: Any) -> Any:
        return start_response(status, [*fields, ("Worker", str(os.getpid()))], *rest)

    return _app.wsgi_app(environ, start)
