"""Callers that never stop, and what became of each of their requests."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

REFUSED = "nobody listens"
#: A process that ends closes connections on which nothing came for 0.3 s or more. A caller that a busy machine keeps
#: from sending for so long sends once more on another one, as clients do (RFC 9112, 9.3.1).
SILENT_SECONDS = 0.25


class Caller(threading.Thread):
    """Sends one request after the other, on one connection or on a new one each time.

    An attempt to connect that nobody takes counts as :data:`REFUSED`: no request was sent.
    """

    def __init__(self, port: int, path: str, token: str | None, *, keeps: bool) -> None:
        super().__init__(daemon=True)
        self.became: Counter[object] = Counter()
        self._address, self._path, self._keeps = ("127.0.0.1", port), path, keeps
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._is_over = threading.Event()

    def run(self) -> None:
        connection, heard = None, None
        while not self._is_over.is_set():
            if connection is None:
                connection = self._connect()
                if connection is None:
                    self.became[REFUSED] += 1
                    time.sleep(0.01)
                    continue
            asked = time.monotonic()
            try:
                self.became[self._ask(connection)] += 1
            except (OSError, http.client.HTTPException) as error:
                if heard is None or asked - heard < SILENT_SECONDS:
                    self.became[repr(error)] += 1
                connection.close()
                heard = None
            else:
                heard = time.monotonic()
            if not self._keeps or connection.sock is None:
                connection.close()
                connection = heard = None
            time.sleep(0.002)

    def end(self) -> None:
        """Send no more; return when the last answer is here."""
        self._is_over.set()
        self.join(60)

    def _connect(self) -> http.client.HTTPConnection | None:
        connection = http.client.HTTPConnection(*self._address, timeout=30)
        try:
            connection.connect()
        except OSError:
            return None
        return connection

    def _ask(self, connection: http.client.HTTPConnection) -> int:
        connection.request("GET", self._path, headers=self._headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status


@contextmanager
def traffic(*callers: Caller) -> Iterator[None]:
    """Let the callers call while the block runs, and a while before and after."""
    for caller in callers:
        caller.start()
    time.sleep(0.3)
    try:
        yield
        time.sleep(0.3)
    finally:
        for caller in callers:
            caller.end()
