"""Followers of many nodes in one process: they speak the real protocol, and keep no record of what they get.

``python -m bench.followers URL`` reads one line of JSON (a list of ``[name, token]``), prints ``ready`` when
every node has a lease, and goes on until its standard input ends. Then it prints how many polls it has sent.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import sys
import time
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from retinue.replica.records import SCHEMA

#: As a real follower waits under the native lease of 10 s.
WAIT_SECONDS = 1.25
_AGAIN_SECONDS = 0.2


class _Change(msgspec.Struct):
    revision: int


class _Answer(msgspec.Struct):
    epoch: int
    head: int
    changes: list[_Change]
    mark: str = ""
    more: bool = False
    lease: bool = False
    snapshot: bool = False
    next: str | None = None


class _Follower(asyncio.Protocol):
    """One node: one connection, kept alive; a request is sent when the answer before it is there."""

    def __init__(self, crowd: _Crowd, name: str, token: str) -> None:
        self._crowd = crowd
        self._name = name
        self._head = f"Host: {crowd.host}\r\nAuthorization: Bearer {token}\r\nAccept: application/json\r\n"
        self._incarnation = secrets.token_hex(16)
        self._applied: dict[str, Any] = {"epoch": 0, "revision": 0, "mark": ""}
        self._after: str | None = None
        self._first: _Answer | None = None
        self._is_snapshot = False
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._buffer = b""
        self._poll()

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.again(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        text = _whole(head.lower(), body) if found else None
        if text is None:
            return
        self._buffer = b""  # one request at a time: nothing follows
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"{self._name}: {head.decode()}\n{text.decode()}")
        self._heard(msgspec.json.decode(text, type=_Answer))

    def _heard(self, answer: _Answer) -> None:
        if self._is_snapshot:
            self._page(answer)
        elif answer.snapshot:
            self._first = None
            self._snapshot("")
        else:
            self._after = answer.next
            if answer.next is None:
                revision = answer.changes[-1].revision if answer.more else answer.head
                self._applied = {"epoch": answer.epoch, "revision": revision, "mark": answer.mark}
            if answer.lease:
                self._crowd.leased.add(self._name)
            self._poll()

    def _page(self, page: _Answer) -> None:
        self._first = self._first or page
        if page.next is not None:
            self._snapshot(page.next)
            return
        first = self._first
        self._applied = {"epoch": first.epoch, "revision": first.head, "mark": first.mark}
        self._is_snapshot = False
        self._poll()

    def _poll(self) -> None:
        self._crowd.polls += 1
        said = {
            "node": self._name,
            "incarnation": self._incarnation,
            "applied": self._applied,
            "wait": WAIT_SECONDS if self._name in self._crowd.leased else 0.0,
            "clock": time.clock_gettime_ns(time.CLOCK_BOOTTIME),
            "schema": SCHEMA,
        }
        if self._after is not None:
            said["after"] = self._after
        body = msgspec.json.encode(said)
        self._send(
            f"POST /v1/feed/poll HTTP/1.1\r\n{self._head}Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )

    def _snapshot(self, after: str) -> None:
        self._is_snapshot = True
        query = f"?after={quote(after, safe='')}" if after else ""
        self._send(f"GET /v1/feed/snapshot{query} HTTP/1.1\r\n{self._head}\r\n".encode())

    def _send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


def _whole(head: bytes, body: bytes) -> bytes | None:
    """Return the body of an answer, if all of it is there."""
    if b"transfer-encoding: chunked" not in head:
        found = re.search(rb"content-length: *(\d+)", head)
        length = int(found[1]) if found else 0
        return body[:length] if len(body) >= length else None
    parts: list[bytes] = []
    while True:
        size, found_line, rest = body.partition(b"\r\n")
        if not found_line or len(rest) < int(size, 16) + 2:
            return None
        if int(size, 16) == 0:
            return b"".join(parts)
        parts.append(rest[: int(size, 16)])
        body = rest[int(size, 16) + 2 :]


class _Crowd:
    """All followers of this process."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.address = (str(parts.hostname), int(parts.port or 80))
        self.host = parts.netloc
        self.leased: set[str] = set()
        self.polls = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def again(self, follower: _Follower) -> None:
        """Connect, now or a little later."""
        task = asyncio.ensure_future(self._connect(follower))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, follower: _Follower) -> None:
        while True:
            await asyncio.sleep(_AGAIN_SECONDS * secrets.randbelow(100) / 100)
            try:
                await asyncio.get_running_loop().create_connection(lambda: follower, *self.address)
            except OSError:
                continue
            return


async def _follow(url: str, nodes: list[tuple[str, str]]) -> None:
    crowd = _Crowd(url)
    for name, token in nodes:
        crowd.again(_Follower(crowd, name, token))
    while len(crowd.leased) < len(nodes):
        await asyncio.sleep(0.05)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(crowd.polls, flush=True)


if __name__ == "__main__":
    asyncio.run(_follow(sys.argv[1], msgspec.json.decode(sys.stdin.readline(), type=list[tuple[str, str]])))
