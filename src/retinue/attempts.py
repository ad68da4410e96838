"""Failed authentications: how many a network may make before it is refused unheard.

Counts stand in the memory of one process and are bounded; nothing is ever written to a credential, so its
holder gets in from any other network. Only failures cost something: asking is two look-ups. A network is a
/24 (IPv4) or a /64 (IPv6), see :mod:`retinue.network`.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import NamedTuple

#: Failures of one network in one window; the window begins with its first failure.
MOST_OF_NETWORK, NETWORK_SECONDS = 300, 60.0
#: Failures in a row for one key id from one network (NIST SP 800-63B); a quiet hour ends a row.
MOST_IN_A_ROW, ROW_SECONDS = 100, 3600.0
#: Entries of each of the two tables; about 6 MB together when full. The oldest goes for a new one.
ROOM = 10_000


class _Count(NamedTuple):
    failures: int
    ends_at: float


class _Table:
    """Failures by key. A key that reached ``most`` is over its limit until its count ends."""

    def __init__(self, most: int, seconds: float, *, renews: bool) -> None:
        self._most = most
        self._seconds = seconds
        self._renews = renews
        self._counts: OrderedDict[Hashable, _Count] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._counts

    def __len__(self) -> int:
        return len(self._counts)

    def left(self, key: Hashable, clock: Callable[[], float]) -> int:
        """Return the seconds, rounded up, until ``key`` may try again; 0 if it may now."""
        count = self._counts.get(key)
        if count is None or count.failures < self._most:
            return 0
        return max(math.ceil(count.ends_at - clock()), 0)

    def add(self, key: Hashable, now: float) -> None:
        """Count one failure; the entry moves to the end, so that the first is the one longest untouched."""
        count = self._counts.pop(key, None)
        if count is None or count.ends_at <= now:
            count = _Count(0, now + self._seconds)
        if len(self._counts) >= ROOM:
            self._counts.popitem(last=False)
        ends_at = now + self._seconds if self._renews else count.ends_at
        self._counts[key] = _Count(count.failures + 1, ends_at)

    def forget(self, key: Hashable) -> None:
        """Begin anew for ``key``."""
        self._counts.pop(key, None)


class Allowance:
    """So many of something for one party in a window of time, as one process counts. Thread-safe."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._taken = _Table(most, seconds, renews=False)

    def take(self, party: str) -> int:
        """Take one; return 0, or the seconds after which ``party`` may ask again."""
        with self._lock:
            left = self._taken.left(party, self._clock)
            if not left:
                self._taken.add(party, self._clock())
            return left


class Attempts:
    """The failures that one process has seen. Safe to use from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._networks = _Table(MOST_OF_NETWORK, NETWORK_SECONDS, renews=False)
        self._rows = _Table(MOST_IN_A_ROW, ROW_SECONDS, renews=True)

    def __bool__(self) -> bool:
        """Tell whether any failure is remembered; while there is none, nobody has to be asked about."""
        return bool(self._networks)

    def pause(self, network: str, kid: str | None = None) -> int:
        """Return for how many seconds this network must be refused unheard; 0 for not at all.

        ``kid`` is the key id that is presented, if what is presented has one.
        """
        left = self._networks.left(network, self._clock)
        return left if kid is None else max(left, self.pause_of_row(network, kid))

    def pause_of_row(self, network: str, kid: str) -> int:
        """Return for how many seconds this key id must be refused here, whoever else is."""
        return self._rows.left((kid, network), self._clock)

    def failed(self, network: str, kid: str | None = None) -> None:
        """Count a presented token that is not genuine."""
        with self._lock:
            now = self._clock()
            self._networks.add(network, now)
            if kid is not None:
                self._rows.add((kid, network), now)

    def succeeded(self, network: str, kid: str) -> None:
        """End the row of failures for a key id whose genuine token was presented from this network."""
        if (kid, network) in self._rows:
            with self._lock:
                self._rows.forget((kid, network))
