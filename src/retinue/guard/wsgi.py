"""Protects a WSGI application: ``wsgi.Protect(app, Guard(), rules={"GET /reports*": "report:read"})``."""

from __future__ import annotations

import http
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from retinue.guard.admission import Door, Request
from retinue.guard.core import Guard
from retinue.guard.outcome import Denied
from retinue.guard.rules import Rules

#: Where the application finds its caller in ``environ``.
CALLER = "retinue.caller"
_PHRASES = {each.value: each.phrase for each in http.HTTPStatus}


class Protect:
    """Lets in what a rule allows; a path without a rule is refused. ``public`` needs no token."""

    def __init__(
        self,
        app: Callable[..., Iterable[bytes]],
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

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        try:
            caller = self._door.by_rules(self._rules, request_of(environ))
        except Denied as denied:
            body = denied.body
            fields = [*denied.headers.items(), ("Content-Length", str(len(body)))]
            start_response(f"{denied.status} {_PHRASES.get(denied.status, 'Refused')}", fields)
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
        if caller is None:
            return self._app(environ, start_response)
        environ[CALLER] = caller
        told = list(caller.headers.items())

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            return start_response(status, [*headers, *told], *rest)

        return self._app(environ, start)


def request_of(environ: Mapping[str, Any]) -> Request:
    """Return what a WSGI environment says of a request.

    WSGI decodes the path. Where the server tells the one that came (``RAW_URI``, ``REQUEST_URI``), that one
    counts, so that an encoded slash is seen.
    """
    raw = environ.get("REQUEST_URI") or environ.get("RAW_URI")
    if raw:
        path = str(raw).partition("?")[0]
        if not path.startswith("/"):  # absolute form
            path = "/" + path.partition("://")[2].partition("/")[2]
    else:
        path = (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")) or "/"
        path = path.encode("latin-1").decode("utf-8", "surrogateescape")
    fields = {
        name[5:].replace("_", "-").lower().encode(): str(value).encode("latin-1")
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    return Request(environ["REQUEST_METHOD"], path, fields, environ.get("REMOTE_ADDR"))
