"""HTTP to one server: a kept connection, limits on time and size, and what may be sent twice.

The standard library only. A token never leaves this module except in the ``Authorization`` header, and the
header never appears in an exception: what goes wrong is told by address and reason.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from retinue.client.errors import ClientError, Unreachable, problem_from

#: An answer above this is refused: no list page of the API comes near it.
ANSWER_BYTES_MAX = 64 * 1024 * 1024
_STALE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)
#: The server has done it, and its answer is lost.
_LOST = (*_STALE, http.client.IncompleteRead)


class Answer:
    """A successful answer: status, headers with names in lower case, and the body's bytes."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


class Exchange:
    """One request and its outcome, for who wants to watch (``status`` 0: no answer)."""

    __slots__ = ("method", "request_id", "seconds", "status", "url")

    def __init__(self, method: str, url: str, status: int, seconds: float, request_id: str | None) -> None:
        self.method = method
        self.url = url
        self.status = status
        self.seconds = seconds
        self.request_id = request_id


class Transport:
    """A connection to the server at ``url`` (``http`` or ``https``, a path prefix is kept).

    ``headers`` go with each request, ``timeout`` is seconds for connecting and for each wait, ``ca_file``
    replaces the system's certificate authorities. ``watch`` is told of each exchange. Raises
    ``ClientError`` for an address that is none.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
        ca_file: str | None = None,
        watch: Callable[[Exchange], None] | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ClientError(f"not an address of a server: {url!r} (http://HOST:PORT or https://HOST)")
        self.url = url.rstrip("/")
        self._prefix = parts.path.rstrip("/")
        self._headers = {"Accept": "application/json", **(headers or {})}
        self._watch = watch
        self._used = False
        self._connection = _connection(parts.scheme, parts.hostname, _port(parts, url), timeout, ca_file)

    def send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and return the answer.

        ``query`` entries that are ``None`` are left out; ``body`` is sent as JSON unless it is ``None``,
        ``form`` as OAuth wants its parameters.
        Raises ``Problem`` for an error answer and ``Unreachable`` without an answer.
        """
        target = self._prefix + path + query_text(query)
        sent = {**self._headers, **(headers or {})}
        data = None
        if body is not None:
            data = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
            sent["Content-Type"] = "application/json"
        elif form is not None:
            data = urlencode(form).encode()
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        started = time.monotonic()
        status, request_id = 0, None
        try:
            answer = self._exchange(method, target, data, sent)
            status, request_id = answer.status, answer.headers.get("retinue-request-id")
        finally:
            if self._watch is not None:
                seconds = time.monotonic() - started
                self._watch(Exchange(method, self.url + path, status, seconds, request_id))
        if answer.status >= 300:
            raise problem_from(answer.status, answer.headers, answer.body)
        return answer

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        self._used = False
        self._connection.close()

    def _exchange(self, method: str, target: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        # A kept connection that the server closed meanwhile breaks on the next request. That request may
        # be sent again only if doing it twice is the same as once. What makes something is sent again in
        # any case: a token in an answer that was lost is told nowhere else.
        is_safe = "Idempotency-Key" in headers
        again = _LOST if is_safe else _STALE if self._used and method == "GET" else ()
        try:
            try:
                return self._once(method, target, data, headers)
            except again:
                self.close()
                return self._once(method, target, data, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(self.url, _why(error)) from None

    def _once(self, method: str, target: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        self._connection.request(method, target, data, dict(headers))
        response = self._connection.getresponse()
        body = response.read(ANSWER_BYTES_MAX + 1)
        if len(body) > ANSWER_BYTES_MAX:
            raise http.client.HTTPException("the answer is larger than 64 MiB")
        if response.length:
            raise http.client.IncompleteRead(body, response.length)
        self._used = not response.will_close
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


def _connection(
    scheme: str, host: str, port: int | None, timeout: float, ca_file: str | None
) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=timeout)
    import ssl

    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ClientError(f"{ca_file}: not a file of certificate authorities ({error.strerror})") from None
    return http.client.HTTPSConnection(host, port, timeout=timeout, context=context)


def _port(parts: Any, url: str) -> int | None:
    try:
        return parts.port  # type: ignore[no-any-return]
    except ValueError:
        raise ClientError(f"not an address of a server: {url!r} (the port is 1 to 65535)") from None


def query_text(query: Mapping[str, Any] | None) -> str:
    """Return a query string with its question mark; entries without a value are left out."""
    pairs = [(name, value) for name, value in (query or {}).items() if value is not None]
    return "?" + urlencode(pairs, doseq=True) if pairs else ""


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, http.client.RemoteDisconnected):
        return "the connection was closed without an answer"
    if isinstance(error, http.client.IncompleteRead):
        return "the connection was closed in the middle of the answer"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
