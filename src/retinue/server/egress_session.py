"""The way out for a library that calls by ``requests``: the same addresses, and an end to each call.

The host that the operator has named is called wherever it is. What an answer of it names beyond that is
called only where webhooks may lead, too: a provider that is taken over must be no way into our own network.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from retinue.network import Network
from retinue.server import egress


class Way(HTTPAdapter):
    """Connects to ``named`` (an origin), and to public or ``allowed`` addresses that were looked at."""

    def __init__(self, named: str, allowed: tuple[Network, ...]) -> None:
        self._named, self._allowed = _place(named), allowed
        self._open: list[socket.socket] = []
        self.is_broken_off = False
        super().__init__(max_retries=0)

    def init_poolmanager(self, *given: Any, **more: Any) -> None:
        """Have each connection opened here."""
        super().init_poolmanager(*given, **more)
        way = self

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return way.connect(self, "http")

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return way.connect(self, "https")

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}

    def send(self, *given: Any, **more: Any) -> requests.Response:
        """Send a request. Proxies of the environment are not asked: they would connect anywhere."""
        return super().send(*given, **{**more, "proxies": None})

    def connect(self, connection: HTTPConnection, scheme: str) -> socket.socket:
        """Open a connection to an address that may be called. Raises :class:`egress.Unreachable`."""
        host, port = connection.host.strip("[]"), connection.port
        address = host
        if (scheme, host, port) != self._named:
            egress.check_url(f"{scheme}://{connection.host}:{port}/", self._allowed)
            address = egress.resolved(host, port, self._allowed, is_plain=scheme == "http")
        made = socket.create_connection((address, port), egress.TOTAL_SECONDS)
        self._open.append(made.dup())  # TLS takes the other one
        return made

    @contextmanager
    def timed(self) -> Iterator[None]:
        """One call: what takes longer than ten seconds in all is broken off.

        Whatever fails below ``requests`` is raised as its ``ConnectionError``.
        """
        late = threading.Timer(egress.TOTAL_SECONDS, self._break_off)
        late.daemon = True
        late.start()
        try:
            yield
        except (egress.Unreachable, HTTPError, OSError) as error:
            if isinstance(error, requests.RequestException):
                raise
            raise requests.ConnectionError(str(error)) from None
        finally:
            late.cancel()
            for each in self._open:
                each.close()
            self._open.clear()

    def _break_off(self) -> None:
        self.is_broken_off = True
        for each in tuple(self._open):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


def _place(origin: str) -> tuple[str, str, int]:
    parts = urlsplit(origin)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
