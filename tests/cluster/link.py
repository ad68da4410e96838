"""A TCP proxy between a node and its control plane that can be cut: both ways, one way, slow, or with resets.

``python -m tests.cluster.link LISTEN TARGET`` takes lines of JSON, ``{"up": .., "down": .., "delay": ..}``, and
answers each with a line of what it has seen. What is held back arrives late when the link is mended, as with
TCP. It also reads the clock that the follower tells in its polls: so a clock is seen from outside.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from contextlib import suppress

_CLOCK = re.compile(rb'"clock":(\d+)')
_WALL = re.compile(rb'"wall":(\d+)')
_CHUNK = 65_536


class Link:
    """One link. ``is_open`` tells for each direction whether bytes pass."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._open = {"up": asyncio.Event(), "down": asyncio.Event()}
        self.delay = 0.0
        self.refuses = False
        self.seen = {"held": 0, "delayed": 0, "reset": 0}
        self.clock: list[tuple[int, int]] = []
        #: By how many seconds the node's wall clock was ahead, by its last poll.
        self.ahead: float | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    def command(self, said: dict[str, float]) -> dict[str, object]:
        """Set the link as told, and return what it has seen since the last command."""
        for name, event in self._open.items():
            (event.set if said.get(name, 1) else event.clear)()
        self.delay = said.get("delay", 0.0)
        self.refuses = bool(said.get("reset", 0))
        found: dict[str, object] = {
            **self.seen,
            "clock": self.clock[-1:],
            "first_clock": self.clock[:1],
            "ahead": self.ahead,
        }
        self.seen = dict.fromkeys(self.seen, 0)
        self.clock, self.ahead = [], None
        if self.refuses:
            for writer in list(self._writers):
                self._reset(writer)
        return found

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass a connection on until one of its ends is gone."""
        if self.refuses:
            self._reset(writer)
            return
        await self._pass("up")
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            self._reset(writer)
            return
        both = {writer, far_writer}
        self._writers |= both
        ways = [self._pump("up", reader, far_writer), self._pump("down", far_reader, writer)]
        tasks = [asyncio.ensure_future(way) for way in ways]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for each in both:
            each.close()
        self._writers -= both

    async def _pump(self, way: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                if way == "up" and (told := _CLOCK.search(data)):
                    self.clock.append((time.clock_gettime_ns(time.CLOCK_BOOTTIME), int(told[1])))
                if way == "up" and (wall := _WALL.search(data)):
                    self.ahead = int(wall[1]) / 1e3 - time.time()
                await self._pass(way)
                if self.delay:
                    self.seen["delayed"] += 1
                    await asyncio.sleep(self.delay)
                    await self._pass(way)
                writer.write(data)
                await writer.drain()

    async def _pass(self, way: str) -> None:
        if not self._open[way].is_set():
            self.seen["held"] += 1
            await self._open[way].wait()

    def _reset(self, writer: asyncio.StreamWriter) -> None:
        self.seen["reset"] += 1
        writer.transport.abort()


async def _serve(listen: int, target: int) -> None:
    link = Link(target)
    link.command({})
    server = await asyncio.start_server(link.accept, "127.0.0.1", listen)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin.buffer
    )
    print(json.dumps({"listening": listen}), flush=True)
    while line := await lines.readline():
        print(json.dumps(link.command(json.loads(line))), flush=True)
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
