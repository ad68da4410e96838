"""Tokens of imported keys of which only a slow hash is known: the control plane tries it, once.

A slow hash costs up to a fifth of a second of a core, so no node computes one. A worker hands such a token
to the control plane in the background, one at a time, and says "not now" until it knows. The control plane
then puts our own digest in the place of the hash, which reaches every node as any change does. Who guesses
learns as much as anywhere else: what was found wrong is unknown for a minute, and a network has few tries.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import TYPE_CHECKING

from retinue.node.credential import NodeToken
from retinue.node.settings import Settings
from retinue.pepper import PepperError

if TYPE_CHECKING:
    from retinue.node.feed_client import FeedClient

#: Tries that wait, and tries of one network in a minute; of callers whose address nobody says, together.
MOST_WAITING, MOST_OF_NETWORK, MOST_UNNAMED = 8, 6, 30
WRONG_SECONDS = 60.0
TIMEOUT_SECONDS = 5.0
_ROOM = 4_096
_log = logging.getLogger("retinue.node")
#: Asks the control plane whether a token is that of an imported key.
Ask = Callable[[str], bool]


class Claims:
    """What one worker has asked. :meth:`is_open` never waits."""

    def __init__(self, ask: Ask, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="retinue-claim")
        self._lock = threading.Lock()
        self._waiting: set[bytes] = set()
        self._wrong: OrderedDict[bytes, float] = OrderedDict()
        self._tries: Counter[str | None] = Counter()
        self._minute = 0

    def is_open(self, token: str, network: str | None) -> bool:
        """Tell whether it is not known yet if a token is genuine; asks for it then, if there is room."""
        key, now = sha256(token.encode()).digest(), self._clock()
        with self._lock:
            if self._wrong.get(key, 0.0) > now:
                return False
            if key in self._waiting:
                return True
            if not self._may_try(network, now):
                return False
            if len(self._waiting) < MOST_WAITING:
                self._waiting.add(key)
                self._tries[network] += 1
                self._pool.submit(self._try, key, token)
        return True

    def close(self) -> None:
        """Ask nothing any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _may_try(self, network: str | None, now: float) -> bool:
        minute = int(now // 60)
        if minute != self._minute:
            self._minute = minute
            self._tries.clear()
        return self._tries[network] < (MOST_UNNAMED if network is None else MOST_OF_NETWORK)

    def _try(self, key: bytes, token: str) -> None:
        try:
            genuine = self._ask(token)
        except Exception as error:
            # Nothing is known then: the next request asks again.
            _log.warning("the token of an imported key could not be tried: %s", type(error).__name__)
            genuine = True
        with self._lock:
            self._waiting.discard(key)
            if not genuine:
                if len(self._wrong) >= _ROOM:
                    self._wrong.popitem(last=False)
                self._wrong[key] = self._clock() + WRONG_SECONDS


def asking(settings: Settings) -> Ask:
    """Return what asks the control plane, or the relay above, as this node. It connects when it is needed."""
    clients: list[FeedClient] = []

    def ask(token: str) -> bool:
        # Few workers ever ask, and a client of HTTP would take a megabyte in each.
        from retinue.node.feed_client import FeedClient, FeedError

        if not clients:
            try:
                clients.append(FeedClient(settings.control_url, NodeToken(settings.node_token_file)))
            except PepperError as error:
                raise FeedError(0, "no_credential", str(error)) from None
        return clients[0].claim(token, TIMEOUT_SECONDS)

    return ask
