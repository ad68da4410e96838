"""Protects a WSGI application: ``wsgi.Protect(app, Guard(), rules={"GET /reports*": "report:read"})``."""

from __future__ import annotations

import http
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from retinue.guard.admission import Door, Request
from retinue.guard.core import Admitted, Guard
from retinue.guard.deciding import Log
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
        self.app = app
        self._door = Door(guard, trusted_proxies=trusted_proxies)
        self.rules = Rules(rules, public)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        try:
            admitted = self._door.by_rules(self.rules, request_of(environ))
        except Denied as denied:
            body = denied.body
            fields = [*denied.headers.items(), ("Content-Length", str(len(body)))]
            start_response(f"{denied.status} {_PHRASES.get(denied.status, 'Refused')}", fields)
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
        if admitted is None:
            return self.app(environ, start_response)
        environ[CALLER] = admitted.caller
        told = _Telling(start_response, admitted)
        try:
            found = self.app(environ, told)
        except BaseException:
            told.finish(500)
            raise
        # An application may begin to answer when its body is read.
        return found if told.is_finished else _Body(found, told)


class _Telling:
    """A ``start_response`` that adds what the caller should know to the answer, and logs its status."""

    def __init__(self, start_response: Callable[..., Any], admitted: Admitted) -> None:
        self._start = start_response
        self._log: Log | None = admitted.finish
        self._told = list(admitted.caller.headers.items())

    def __call__(self, status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        self.finish(int(status[:3]) if status[:3].isdigit() else None)
        return self._start(status, [*headers, *self._told], *rest)

    @property
    def is_finished(self) -> bool:
        return self._log is None

    def finish(self, status: int | None) -> None:
        """Log it, if that was not done yet."""
        log, self._log = self._log, None
        if log is not None:
            log(status)


class _Body:
    """A body whose reading may begin the answer; if it does not, the status stays unknown."""

    def __init__(self, body: Iterable[bytes], told: _Telling) -> None:
        self._body = body
        self._told = told

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._body
        except BaseException:
            self._told.finish(500)
            raise

    def close(self) -> None:
        """Called by the server at the end, however it comes."""
        self._told.finish(None)
        close = getattr(self._body, "close", None)
        if close is not None:
            close()


def request_of(environ: Mapping[str, Any]) -> Request:
    """Return what a WSGI environment says of a request."""
    path = _path(environ)
    fields = {
        name[5:].replace("_", "-").lower().encode(): str(value).encode("latin-1")
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    return Request(environ["REQUEST_METHOD"], path, fields, environ.get("REMOTE_ADDR"))


def _path(environ: Mapping[str, Any]) -> str:
    """Return the path as it came, so that an encoded slash is seen, where the server tells it.

    It counts only if it is the one by which the application goes: a target such as ``admin``, or what was
    rewritten on the way here, is two paths. A path that does not begin with a slash fits no rule.

    So it is with a mount that the request itself may have named: gunicorn takes it from a header field.
    """
    mount, inside = str(environ.get("SCRIPT_NAME", "")), str(environ.get("PATH_INFO", ""))
    if inside and not inside.startswith("/"):
        return _text(inside)
    if mount and "HTTP_SCRIPT_NAME" in environ:
        return _text(inside).lstrip("/")
    served = (mount + inside) or "/"
    came = str(environ.get("REQUEST_URI") or environ.get("RAW_URI") or "").partition("?")[0]
    if came and not came.startswith("/"):  # absolute form
        came = "/" + came.partition("://")[2].partition("/")[2]
    is_same = unquote_to_bytes(came.encode("latin-1", "replace")) == served.encode("latin-1", "replace")
    return came if is_same else _text(served)


def _text(path: str) -> str:
    return path.encode("latin-1", "replace").decode("utf-8", "surrogateescape")
