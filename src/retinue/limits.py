"""How much one account may ask of this host: its share of the limit, counted by all processes together.

Nodes do not ask each other. The share of a node is the limit divided by the nodes that are live, so all of
them together never admit more than the limit (one call each is always admitted). The workers of a host, and
programs that decide for themselves there, count in files that each of them maps: each process writes its own
and reads all: no lock and no system call on the path of a decision. What is refused is not counted.

Counted are the present second, and a minute that slides: of the minute before, so much counts as still lies
within the last 60 seconds.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from hashlib import blake2b
from math import ceil
from pathlib import Path
from typing import Self

import msgspec

from retinue.decision import Quota
from retinue.replica.narrowing import Rate

#: Accounts that a host counts at a time, in so many rows of so many; the one that was idle longest gives way.
ROWS, WAYS = 4_096, 4
#: A row: key, second, calls in it, minute, calls in it, calls in the minute before it.
_WORDS = 6
_BYTES = ROWS * WAYS * _WORDS * 8
#: Processes of one program that count on a host at a time.
_MOST = 1_024
_MINUTE_MS, _SECOND_MS = 60_000, 1_000
_KEY, _SECOND, _IN_SECOND, _MINUTE, _IN_MINUTE, _BEFORE = range(_WORDS)


class Counts(msgspec.Struct, frozen=True, gc=False):
    """Calls of one account in the present second, and in the last 60 seconds."""

    second: int = 0
    minute: float = 0.0


class Limiter:
    """Counts and refuses. One object a process and thread; ``refresh`` must be called about once a second."""

    def __init__(self, folder: Path, worker: str) -> None:
        """Open the counters in ``folder``. Raises ``OSError`` if it cannot be written."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._path = folder / f"{worker}.counts"
        self._own = _map(self._path, writable=True)
        self._lock: int | None = None
        self._others: dict[str, memoryview] = {}
        self.refresh()

    @classmethod
    def claim(cls, folder: Path, program: str) -> Self:
        """Return the counters of one process of a program that may run often on this host.

        It gets a file that no living process writes, so that ended ones leave no more files than ever ran at
        a time. Raises ``OSError`` if the folder cannot be written.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(_MOST):
            descriptor = os.open(folder / f"{program}-{number}.counts", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            made = cls(folder, f"{program}-{number}")
            made._lock = descriptor  # ends with the process, however it ends
            return made
        raise OSError(f"{_MOST} processes count in {folder} already")

    def close(self) -> None:
        """Let go of the files; what was counted stays in them."""
        for words in (self._own, *self._others.values()):
            words.release()
        self._others.clear()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def refresh(self) -> None:
        """Read the counters of processes that have come, and forget those that are gone."""
        with suppress(FileNotFoundError):
            present = {path.name: path for path in self._folder.glob("*.counts") if path != self._path}
            for name in [name for name in self._others if name not in present]:
                self._others.pop(name).release()
            for name, path in present.items():
                if name not in self._others:
                    with suppress(OSError, ValueError):
                        self._others[name] = _map(path, writable=False)

    def take(self, account: str, rate: Rate, now_ms: int, nodes: int) -> Quota | None:
        """Count one call of ``account`` if its share allows it; ``None`` where nothing is limited here.

        ``nodes`` is how many nodes are live. A quota with ``retry_after`` was not counted.
        """
        key = _key_of(account)
        counts = self._counted(key, now_ms)
        quota = _quota(rate, counts, now_ms, max(nodes, 1))
        if quota is not None and not quota.retry_after:
            self._count(key, now_ms)
        return quota

    def count(self, account: str, now_ms: int) -> None:
        """Count one call that was admitted by others than this object."""
        self._count(_key_of(account), now_ms)

    def _counted(self, key: int, now_ms: int) -> Counts:
        second, minute = now_ms // _SECOND_MS, now_ms // _MINUTE_MS
        within = 1 - (now_ms % _MINUTE_MS) / _MINUTE_MS
        in_second, in_minute = 0, 0.0
        for words in (self._own, *self._others.values()):
            for place in _places(key):
                if words[place + _KEY] != key:
                    continue
                if words[place + _SECOND] == second:
                    in_second += words[place + _IN_SECOND]
                if words[place + _MINUTE] == minute:
                    in_minute += words[place + _IN_MINUTE] + words[place + _BEFORE] * within
                elif words[place + _MINUTE] == minute - 1:
                    in_minute += words[place + _IN_MINUTE] * within
                break
        return Counts(in_second, in_minute)

    def _count(self, key: int, now_ms: int) -> None:
        words = self._own
        second, minute = now_ms // _SECOND_MS, now_ms // _MINUTE_MS
        place = next((each for each in _places(key) if words[each + _KEY] == key), None)
        if place is None:
            place = min(_places(key), key=lambda each: words[each + _SECOND])
            for word in range(_WORDS):
                words[place + word] = 0
            words[place + _KEY] = key
        if words[place + _SECOND] != second:
            words[place + _IN_SECOND] = 0
            words[place + _SECOND] = second
        if words[place + _MINUTE] != minute:
            was = words[place + _MINUTE] == minute - 1
            words[place + _BEFORE] = words[place + _IN_MINUTE] if was else 0
            words[place + _IN_MINUTE] = 0
            words[place + _MINUTE] = minute
        words[place + _IN_SECOND] += 1
        words[place + _IN_MINUTE] += 1


def _quota(rate: Rate, counts: Counts, now_ms: int, nodes: int) -> Quota | None:
    """Return what is left of the tighter limit, and when more is there if nothing is left."""
    found = None
    for most, used, window, reset_ms in (
        (rate.per_second, counts.second, 1, _SECOND_MS - now_ms % _SECOND_MS),
        (rate.per_minute, counts.minute, 60, _MINUTE_MS - now_ms % _MINUTE_MS),
    ):
        if not most:
            continue
        share = max(most // nodes, 1)
        left = int(share - used)
        reset = ceil(reset_ms / _SECOND_MS)
        if left <= 0:
            return Quota(share, 0, window, reset, retry_after=min(reset, 1) if window == 1 else _wait(reset))
        if found is None or left - 1 < found.remaining:
            found = Quota(share, left - 1, window, reset)
    return found


def _wait(reset: int) -> int:
    """Seconds after which to try again: a sliding minute empties all the time, a whole one is never due."""
    return max(1, min(reset, 10))


def _places(key: int) -> Iterator[int]:
    first = (key % ROWS) * WAYS * _WORDS
    return iter(range(first, first + WAYS * _WORDS, _WORDS))


@lru_cache(maxsize=16_384)
def _key_of(account: str) -> int:
    return int.from_bytes(blake2b(account.encode(), digest_size=8).digest()) or 1


def _map(path: Path, *, writable: bool) -> memoryview:
    """Map a file of counters; what a worker of this name counted before still counts."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT if writable else os.O_RDONLY, 0o600)
    try:
        if writable and os.fstat(descriptor).st_size != _BYTES:
            os.ftruncate(descriptor, _BYTES)
        access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
        return memoryview(mmap.mmap(descriptor, _BYTES, access=access)).cast("Q")
    finally:
        os.close(descriptor)
