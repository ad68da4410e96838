"""Speaks the feed with the control plane: one connection, kept alive, no redirects, no retries of its own."""

from __future__ import annotations

import http.client
import ssl
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from retinue.replica.records import Change

#: A snapshot page or a batch of changes is far below this; a longer answer is not read.
MOST_ANSWER_BYTES = 64 << 20
_Answer = TypeVar("_Answer")


class FeedError(Exception):
    """No usable answer: ``status`` is 0 for a broken connection; ``code`` is the problem's."""

    def __init__(self, status: int, code: str, detail: str = "") -> None:
        super().__init__(f"{status or 'connection'} {code} {detail}".strip())
        self.status = status
        self.code = code


class PollAnswer(msgspec.Struct):
    """The answer to a poll; see the feed in the reference."""

    incarnation: str
    epoch: int
    head: int
    changes: list[Change]
    more: bool
    lease: bool
    time: int
    snapshot: bool = False


class SnapshotAnswer(msgspec.Struct):
    """A page of a snapshot."""

    epoch: int
    head: int
    changes: list[Change]
    next: str | None = None


class _Next(msgspec.Struct):
    next: int


class _Problem(msgspec.Struct):
    code: str = "unknown"
    detail: str | None = None


class FeedClient:
    """One connection to the control plane. Not shared between threads."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._prefix = parts.path.rstrip("/")
        self._token = token
        self._connection: http.client.HTTPConnection | None = None

    def poll(self, body: dict[str, Any], timeout_s: float) -> PollAnswer:
        """Send one poll. Raises :class:`FeedError`; after that the late answer can no longer arrive."""
        return self._decode(self._send("POST", "/v1/feed/poll", body, timeout_s), PollAnswer)

    def snapshot(self, after: str, timeout_s: float) -> SnapshotAnswer:
        """Fetch the page of a snapshot after the place ``after`` (empty: the first)."""
        query = f"?{urlencode({'after': after})}" if after else ""
        return self._decode(self._send("GET", f"/v1/feed/snapshot{query}", None, timeout_s), SnapshotAnswer)

    def ship(self, node: str, spool: str, first: int, records: list[Any], timeout_s: float) -> int:
        """Ship a batch of the request log; returns the next sequence number that is expected."""
        body = {"node": node, "spool": spool, "first": first, "records": records}
        return self._decode(self._send("POST", "/v1/feed/requests", body, timeout_s), _Next).next

    def close(self) -> None:
        """Drop the connection, and with it any answer that is under way."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(self, method: str, path: str, body: Any, timeout_s: float) -> bytes:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        data = None
        if body is not None:
            data = msgspec.json.encode(body)
            headers["Content-Type"] = "application/json"
        try:
            connection = self._connect(timeout_s)
            connection.request(method, self._prefix + path, data, headers)
            answer = connection.getresponse()
            text = answer.read(MOST_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise FeedError(0, type(error).__name__) from None
        if answer.status != 200:
            raise self._error(answer.status, text)
        return text

    def _connect(self, timeout_s: float) -> http.client.HTTPConnection:
        if self._connection is None:
            self._connection = (
                http.client.HTTPConnection(self._host, self._port)
                if self._tls is None
                else http.client.HTTPSConnection(self._host, self._port, context=self._tls)
            )
        self._connection.timeout = timeout_s
        if self._connection.sock is not None:
            self._connection.sock.settimeout(timeout_s)
        return self._connection

    @staticmethod
    def _error(status: int, text: bytes) -> FeedError:
        try:
            problem = msgspec.json.decode(text, type=_Problem)
        except msgspec.DecodeError:
            problem = _Problem()
        return FeedError(status, problem.code, problem.detail or "")

    def _decode(self, text: bytes, kind: type[_Answer]) -> _Answer:
        try:
            return msgspec.json.decode(text, type=kind)
        except msgspec.DecodeError as error:
            self.close()
            raise FeedError(0, "unreadable", str(error)) from None
