"""Clients that ask a node nearly as fast as it answers."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections import Counter

from tests.cluster.history import History, Pass, now

#: A stopped worker answers when it goes on; whoever waits longer has gone.
_TIMEOUT_SECONDS = 3.0
_RETRY_SECONDS = 0.02
#: Answers after which there is no hurry: the node is gone, or has no lease.
_NOTHING = ("", "replica_stale")
#: A breath for the control plane, whose machine this is, too.
PAUSE_SECONDS = 0.001
#: For so long the client that is wrong on purpose believes what it was told.
CACHE_SECONDS = 0.5
#: What is asked beside the token, if nothing else is said.
USUAL = {"need": ["report:read"], "method": "GET", "path": "/reports"}


def question(token: str, **asked: object) -> bytes:
    """Return the request that asks whether a token may do what its account was granted."""
    body = json.dumps({"token": token, **USUAL, **asked}).encode()
    head = "POST /v1/verify HTTP/1.1\r\nHost: node\r\nContent-Type: application/json\r\nContent-Length: "
    return f"{head}{len(body)}\r\n\r\n".encode() + body


class Verifier(threading.Thread):
    """One client of one node; with ``caches`` it remembers answers by time, which nobody may do."""

    def __init__(
        self,
        node: str,
        port: int,
        history: History,
        seed: str,
        *,
        caches: bool = False,
        pause: float = PAUSE_SECONDS,
    ) -> None:
        super().__init__(name=f"verifier {seed}", daemon=True)
        self.stopping = threading.Event()
        self._node = node
        self._pause = pause
        self._port = port
        self._history = history
        self._chance = random.Random(seed)  # noqa: S311
        self._by = "cache" if caches else "plain"
        self._remembered: dict[int, tuple[float, str]] | None = {} if caches else None
        self._socket: socket.socket | None = None
        self._counts: Counter[str] = Counter()
        history.counters.append(self._counts)

    def run(self) -> None:
        """Ask until told to stop."""
        while not self.stopping.is_set():
            found = self._history.pick(self._chance)
            began = now()
            answer = self._remember(found) if self._remembered is not None else self._ask(found)
            self._history.verified(self._counts, began, self._node, found, self._by, answer)
            time.sleep(_RETRY_SECONDS if answer in _NOTHING else self._pause)
        self._close()

    def _remember(self, found: Pass) -> str:
        assert self._remembered is not None  # only then it is called
        at, answer = self._remembered.get(found.number, (0.0, ""))
        if not answer or now() - at > CACHE_SECONDS:
            answer = self._ask(found)
            self._remembered[found.number] = (now(), answer)
        return answer

    def _ask(self, found: Pass) -> str:
        """Return ``allowed``, the reason of a refusal, or nothing where no answer came."""
        try:
            if self._socket is None:
                self._socket = socket.create_connection(("127.0.0.1", self._port), _TIMEOUT_SECONDS)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(found.request)
            return self._read(self._socket)
        except (OSError, ValueError):
            self._close()
            return ""

    def _read(self, opened: socket.socket) -> str:
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0 or len(data) < end + 4 + _length(data[:end]):
            more = opened.recv(65_536)
            if not more:
                raise OSError("closed")
            data += more
        if b'"allowed":true' in data:
            return "allowed"
        answer = json.loads(data[end + 4 :])
        return str(answer.get("reason") or answer.get("code"))

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
