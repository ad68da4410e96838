"""What a relay passes on to the one that it follows, as it came: calls of other nodes, with their own tokens.

Nothing is kept here. The answer that the caller gets is the one that came from above, so whatever it is told
to be stored is stored there; without an answer the caller keeps what it has, and tries again.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from retinue.node.credential import NodeToken
from retinue.node.feed_client import FeedClient

#: So many calls are passed on at once.
AT_ONCE = 8
TIMEOUT_SECONDS = 10.0


class Forwarder:
    """Connections to the control plane, or to the relay above, for calls of others."""

    def __init__(self, url: str, token: NodeToken) -> None:
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="retinue-forward")
        self._free: SimpleQueue[FeedClient] = SimpleQueue()
        for _ in range(AT_ONCE):
            self._free.put(FeedClient(url, token))

    async def forward(self, method: str, path: str, body: bytes, token: str) -> tuple[int, bytes]:
        """Pass a call on; return status and body of the answer.

        Raises :class:`retinue.node.feed_client.FeedError` if there is none.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._forward, method, path, body, token)

    def _forward(self, method: str, path: str, body: bytes, token: str) -> tuple[int, bytes]:
        client = self._free.get()
        try:
            return client.forward(method, path, body, token, TIMEOUT_SECONDS)
        finally:
            self._free.put(client)

    def close(self) -> None:
        """Pass nothing on any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
