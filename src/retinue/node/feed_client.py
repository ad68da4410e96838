"""Speaks the feed with the control plane: one connection, kept alive, no redirects, no answer after its time.

Every call may be sent twice: a poll says what is applied, a batch is stored once. One is repeated at once
in two cases only: a connection that was kept turns out to be closed, and a refused credential has been
replaced in its file meanwhile.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from retinue.node.credential import NodeToken
from retinue.replica.records import Change

#: A snapshot page or a batch of changes is far below this; a longer answer is not read.
MOST_ANSWER_BYTES = 64 << 20
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_Answer = TypeVar("_Answer")


class FeedError(Exception):
    """No usable answer: ``status`` is 0 for a broken connection; ``code`` and ``field`` are the problem's."""

    def __init__(self, status: int, code: str, detail: str = "", field: str = "") -> None:
        super().__init__(" ".join(filter(None, (str(status or "connection"), code, field, detail))))
        self.status = status
        self.code = code
        self.field = field


class Canary(msgspec.Struct, frozen=True):
    """The key of a probe, to be verified until it is refused: its token, sealed under the id of the probe."""

    id: str
    sealed: bytes


class PollAnswer(msgspec.Struct):
    """The answer to a poll; see the feed in the reference. ``lease_ms`` is the shortest lease in force.

    ``refused`` says why the control plane gives no lease. From a relay: its lease was ``age_ms`` old when the
    poll arrived, and the node that asks is behind ``hops`` relays.
    """

    incarnation: str
    epoch: int
    head: int
    changes: list[Change]
    more: bool
    lease: bool
    time: int
    snapshot: bool = False
    renew: bool = False
    next: str | None = None
    lease_ms: int = 10_000
    mark: str = ""
    journal: bool = False
    recovering: bool = False
    refused: str | None = None
    age_ms: int = 0
    hops: int = 0
    canary: Canary | None = None
    nodes: int = 1
    head_mark: str = ""


class SnapshotAnswer(msgspec.Struct):
    """A page of a snapshot."""

    epoch: int
    head: int
    changes: list[Change]
    next: str | None = None
    mark: str = ""


class _Renewed(msgspec.Struct):
    token: str


class _Taken(msgspec.Struct):
    unknown: int


class _Claimed(msgspec.Struct):
    genuine: bool


class _Announced(msgspec.Struct):
    node: str


class _Next(msgspec.Struct):
    next: int


class _Problem(msgspec.Struct):
    code: str = "unknown"
    detail: str | None = None
    field: str | None = None


class FeedClient:
    """One connection to the control plane. Not shared between threads."""

    def __init__(self, url: str, token: NodeToken) -> None:
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

    def snapshot(self, after: str, timeout_s: float, *, relay: bool = False) -> SnapshotAnswer:
        """Fetch the page of a snapshot after ``after`` (empty: the first), as a relay gets it or a node."""
        given = {**({"after": after} if after else {}), **({"relay": "true"} if relay else {})}
        query = f"?{urlencode(given)}" if given else ""
        return self._decode(self._send("GET", f"/v1/feed/snapshot{query}", None, timeout_s), SnapshotAnswer)

    def journal(self, body: dict[str, Any], timeout_s: float) -> int:
        """Hand over a page of the journal; returns how many of its lines the control plane did not know."""
        return self._decode(self._send("POST", "/v1/feed/journal", body, timeout_s), _Taken).unknown

    def ship(self, node: str, spool: str, first: int, records: list[Any], timeout_s: float) -> int:
        """Ship a batch of the request log; returns the next sequence number that is expected."""
        body = {"node": node, "spool": spool, "first": first, "records": records}
        return self._decode(self._send("POST", "/v1/feed/requests", body, timeout_s), _Next).next

    def claim(self, token: str, timeout_s: float) -> bool:
        """Tell whether a token is that of an imported key of which only a slow hash was known."""
        return self._decode(
            self._send("POST", "/v1/feed/claim", {"token": token}, timeout_s), _Claimed
        ).genuine

    def renew(self, timeout_s: float) -> str:
        """Ask for the credential that follows the node's own; return its token."""
        return self._decode(self._send("POST", "/v1/nodes/self/credential", None, timeout_s), _Renewed).token

    def announce(self, body: dict[str, Any], timeout_s: float) -> None:
        """Tell the control plane itself, through the relays in between, with which key this node signs."""
        self._decode(self._send("POST", "/v1/feed/announce", body, timeout_s), _Announced)

    def forward(self, method: str, path: str, body: bytes, token: str, timeout_s: float) -> tuple[int, bytes]:
        """Pass on what another node has sent, with that node's ``token``; return status and body of the
        answer.

        Raises :class:`FeedError` if there is none.
        """
        return self._exchange(method, path, body or None, token, timeout_s)

    def close(self) -> None:
        """Drop the connection, and with it any answer that is under way."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(self, method: str, path: str, body: Any, timeout_s: float) -> bytes:
        data = None if body is None else msgspec.json.encode(body)
        token = self._token.reveal()
        status, text = self._exchange(method, path, data, token, timeout_s)
        if status == 401 and self._token.has_changed(token):
            status, text = self._exchange(method, path, data, self._token.reveal(), timeout_s)
        if status != 200:
            raise self._error(status, text)
        return text

    def _exchange(
        self, method: str, path: str, data: bytes | None, token: str, timeout_s: float
    ) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        deadline = time.monotonic() + timeout_s
        while True:
            is_used = self._connection is not None
            try:
                return self._once(method, self._prefix + path, data, headers, deadline)
            except (ConnectionResetError, BrokenPipeError) as error:  # RemoteDisconnected is one, too
                self.close()
                if not is_used:
                    raise FeedError(0, type(error).__name__) from None
            except (OSError, http.client.HTTPException) as error:
                self.close()
                raise FeedError(0, type(error).__name__) from None

    def _once(
        self, method: str, path: str, data: bytes | None, headers: dict[str, str], deadline: float
    ) -> tuple[int, bytes]:
        connection = self._connect(_left(deadline))
        connection.request(method, path, data, headers)
        connection.sock.settimeout(_left(deadline))
        answer = connection.getresponse()
        text = answer.read(MOST_ANSWER_BYTES)
        if not answer.isclosed():  # longer than we read, or cut: the next answer cannot be found behind it
            self.close()
        return answer.status, text

    def _connect(self, timeout_s: float) -> http.client.HTTPConnection:
        if self._connection is None:
            self._connection = (
                http.client.HTTPConnection(self._host, self._port)
                if self._tls is None
                else http.client.HTTPSConnection(self._host, self._port, context=self._tls)
            )
            self._connection.response_class = _Response
        self._connection.timeout = timeout_s
        if self._connection.sock is not None:
            self._connection.sock.settimeout(timeout_s)
        return self._connection

    @staticmethod
    def _error(status: int, text: bytes) -> FeedError:
        try:
            problem = msgspec.json.decode(text, type=_Problem)
        except _UNREADABLE:
            problem = _Problem()
        return FeedError(status, problem.code, problem.detail or "", problem.field or "")

    def _decode(self, text: bytes, kind: type[_Answer]) -> _Answer:
        try:
            return msgspec.json.decode(text, type=kind)
        except _UNREADABLE as error:
            self.close()
            raise FeedError(0, "unreadable", str(error)) from None


class _Response(http.client.HTTPResponse):
    """An answer that must be complete when the socket's timeout has passed, however slowly it drips."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_Until(self.fp, sock))


class _Until(io.RawIOBase):
    """Reads from ``stream`` with what is left of the time that ``sock`` allowed when this was made."""

    def __init__(self, stream: io.BufferedReader, sock: socket.socket) -> None:
        self._stream = stream.detach()
        self._socket = sock
        self._deadline = time.monotonic() + (sock.gettimeout() or 0.0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._socket.settimeout(_left(self._deadline))
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _left(deadline: float) -> float:
    """Return the seconds until ``deadline``. Raises ``TimeoutError`` when it has passed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
