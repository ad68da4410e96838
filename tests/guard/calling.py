"""A protected API that keeps what it was sent, and requests to it by each library."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import httpx2
import requests

#: Sends a request and returns the status: method, URL, auth, and what the library takes beside them.
Send = Callable[..., int]


@dataclass
class Api:
    """A protected API: which token it accepts, what it was sent, and where it redirects."""

    port: int = 0
    accepted: str = "first"
    seen: list[tuple[str, str | None, bytes]] = field(default_factory=list)
    told: dict[str, str] = field(default_factory=dict)
    redirect: str | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: Api

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        api = self.api
        api.seen.append((self.path, self.headers["Authorization"], body))
        if self.path == "/redirect" and api.redirect:
            self.send_response(307)
            self.send_header("Location", api.redirect)
        else:
            self.send_response(200 if self.headers["Authorization"] == f"Bearer {api.accepted}" else 401)
            for name, value in api.told.items():
                self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = _answer

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def serving() -> Iterator[Api]:
    made = Api()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"api": made}))
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def _sync(module: Any) -> Send:
    def send(method: str, url: str, auth: Any, **more: Any) -> int:
        with module.Client(follow_redirects=True, auth=auth, trust_env=False) as client:
            return int(client.request(method, url, **more).status_code)

    return send


def _async(module: Any) -> Send:
    def send(method: str, url: str, auth: Any, **more: Any) -> int:
        async def sent() -> int:
            async with module.AsyncClient(follow_redirects=True, auth=auth, trust_env=False) as client:
                return int((await client.request(method, url, **more)).status_code)

        return asyncio.run(sent())

    return send


def _requests(method: str, url: str, auth: Any, **more: Any) -> int:
    with requests.Session() as session:
        session.auth, session.trust_env = auth, False
        if "content" in more:
            more["data"] = more.pop("content")
        return session.request(method, url, timeout=10, **more).status_code


SENDERS: dict[str, Send] = {
    "httpx": _sync(httpx),
    "httpx async": _async(httpx),
    "httpx2": _sync(httpx2),
    "httpx2 async": _async(httpx2),
    "requests": _requests,
}
