"""A client's connection: kept alive, dropped when it breaks, with a hook for the moment after the send."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 60.0


class Broken(Exception):
    """No whole answer came. ``sent`` is false where the request cannot have arrived."""

    def __init__(self, sent: bool) -> None:
        super().__init__("sent" if sent else "not sent")
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: Any


class Wire:
    """One connection to one server. Not shared between threads."""

    def __init__(self, url: str, token: str | None = None) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            str(parts.hostname), parts.port, timeout=TIMEOUT_SECONDS
        )
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        sent: Callable[[], None] = lambda: None,
    ) -> Reply:
        """Send a request, call ``sent``, and return the answer. Raises :class:`Broken`."""
        data = None if body is None else json.dumps(body).encode()
        is_sent = False
        try:
            if self._connection.sock is None:
                self._connection.connect()
            is_sent = True
            self._connection.request(method, path, data, {**self._headers, **(headers or {})})
            sent()
            answer = self._connection.getresponse()
            text = answer.read()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, found, json.loads(text) if text else None)
        except (OSError, http.client.HTTPException, ValueError):
            self._connection.close()
            raise Broken(is_sent) from None

    def close(self) -> None:
        """Drop the connection."""
        self._connection.close()
