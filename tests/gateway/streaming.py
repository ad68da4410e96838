"""An application that speaks HTTP/2 without TLS and answers while it is asked, and a client that does the same."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.gateway.secure import GRPC_FIELDS, listens
from tests.support.processes import end_with_parent, free_port, stop, wait_for

ROOT = Path(__file__).parents[2]
#: In this file the application writes what it was asked: a line a call, as JSON.
ASKED = "RETINUE_TEST_ASKED"
SECONDS = 60.0


async def app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Send back each message when it comes, as a call of gRPC with two streams does."""
    if scope["type"] != "http":
        return
    fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    with Path(os.environ[ASKED]).open("a") as file:
        file.write(
            json.dumps({"path": scope["path"], "version": scope["http_version"], "fields": fields}) + "\n"
        )
    headers = [(b"content-type", b"application/grpc")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    is_more = True
    while is_more:
        message = await receive()
        is_more = message["type"] == "http.request" and bool(message.get("more_body"))
        if message.get("body"):
            await send({"type": "http.response.body", "body": message["body"], "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@contextmanager
def start_streaming(folder: Path) -> Iterator[tuple[int, Path]]:
    """Start the application. Yields its port, and the file that tells what it was asked."""
    port, asked = free_port(), folder / "asked"
    asked.touch()
    place = ("--host", "127.0.0.1", "--port", str(port))
    process = subprocess.Popen(
        [sys.executable, "-m", "granian", "--interface", "asgi", "--http", "2", "--no-ws", *place, f"{__name__}:app"],
        cwd=ROOT, env={**os.environ, ASKED: str(asked)}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, preexec_fn=end_with_parent(),
    )  # fmt: skip
    try:
        wait_for("the application listens", lambda: listens(port))
        yield port, asked
    finally:
        stop(process)


class Stream:
    """A call whose messages are sent one after the other while answers are read; by TLS and HTTP/2."""

    def __init__(self, url: str, folder: Path, token: str) -> None:
        lines = [*GRPC_FIELDS, f"authorization: Bearer {token}"]
        # No token stands on a command line.
        (folder / "stream").touch(mode=0o600)
        (folder / "stream").write_text("".join(f'header = "{each}"\n' for each in lines))
        flags = ("-sS", "-N", "--http2", "--cacert", str(folder / "tls.crt"), "-X", "POST", "-T", ".")
        self._process = subprocess.Popen(
            ["curl", *flags, "-K", str(folder / "stream"), url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=end_with_parent(),
        )

    def say(self, message: bytes) -> bytes:
        """Send a message; return as many bytes as came back of it within :data:`SECONDS`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        os.write(self._process.stdin.fileno(), message)
        until, read = time.monotonic() + SECONDS, b""
        while len(read) < len(message) and (left := until - time.monotonic()) > 0:
            if select.select([self._process.stdout], [], [], left)[0]:
                part = os.read(self._process.stdout.fileno(), len(message) - len(read))
                if not part:
                    break
                read += part
        return read

    def end(self) -> int:
        """Send the end; return what curl ends with."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._process.wait(SECONDS)

    def close(self) -> None:
        """End it, however it stands."""
        stop(self._process)
