"""Ships the request log: reads the spools of this host's workers and sends batches, exactly once.

The control plane says which sequence number of a spool it expects next; after a restart it is asked
before anything is sent. What is shipped is deleted here, and nothing else is.

A batch may be refused. An entry is given up only if the refusal names a record as invalid, the entry is
refused alone, and another entry is taken after that: then the fault is the entry's. Where everything is
refused (two versions that differ, a proxy with limits of its own) the spool waits and is tried again.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from retinue.node.complaints import Complaint
from retinue.node.feed_client import FeedClient, FeedError
from retinue.node.follower_metrics import Counter, FollowerMetrics
from retinue.usage import Entry, SpoolTail, spools

_log = logging.getLogger("retinue.shipping")
BATCH_RECORDS = 1_000
PAUSE_SECONDS = 0.1
#: The control plane has other things to do: a node rests so many times as long as shipping took.
REST, MOST_REST_SECONDS = 9, 1.0
MOST_PAUSE_SECONDS = 5.0
MOST_HOLD_SECONDS = 30.0
TIMEOUT_SECONDS = 10.0
#: So many entries that are refused alone, and none that is taken, are not the entries' fault.
MOST_SUSPECTS = 16
_REFUSALS = frozenset({400, 413, 422})


@dataclass(slots=True)
class _Held:
    """A spool whose entries are refused: when it is tried again, and what had been taken when it began."""

    taken: int
    pause: float
    again_at: float = 0.0


class Shipper(threading.Thread):
    """The shipping thread of a follower; it has a connection of its own and never delays a poll."""

    def __init__(self, client: FeedClient, node: str, folder: Path, metrics: FollowerMetrics) -> None:
        super().__init__(name="retinue-shipping", daemon=True)
        self._client = client
        self._node = node
        self._folder = folder
        self._metrics = metrics
        self._tails: dict[str, SpoolTail] = {}
        self._held: dict[str, _Held] = {}
        self._taken = 0
        self._stopping = threading.Event()
        self._shipping = Complaint(_log, "shipping the request log")
        self._refusing = Complaint(_log, "shipping a part of the request log, which is kept,", 0.0)

    def run(self) -> None:
        """Ship until stopped, then once more what is there."""
        pause = PAUSE_SECONDS
        while not self._stopping.wait(pause):
            began = time.monotonic()
            try:
                self._round()
                self._shipping.worked()
                rest = min(REST * (time.monotonic() - began), MOST_REST_SECONDS)
                pause = max(PAUSE_SECONDS, rest)
            except (FeedError, OSError) as error:
                self._shipping.failed(error)
                self._tails.clear()  # ask anew where each spool stands
                pause = min(pause * 2, MOST_PAUSE_SECONDS)
            except Exception:
                _log.exception("shipping the request log: an error on our side; it goes on")
                self._tails.clear()
                pause = MOST_PAUSE_SECONDS
        try:
            self._round()
        except (FeedError, OSError) as error:
            _log.info("what is left of the request log is shipped at the next start: %s", error)

    def stop(self, seconds: float) -> None:
        """Ship what is there and end, within ``seconds``."""
        self._stopping.set()
        self.join(seconds)

    def _round(self) -> None:
        """Ship what each spool holds; one that is held does not keep up the others."""
        for path in spools(self._folder):
            held = self._held.get(path.name)
            if held is not None and time.monotonic() < held.again_at:
                continue
            try:
                self._ship(path)
            except FeedError as error:
                if error.status not in _REFUSALS:
                    raise
                self._hold(path.name, error)
            else:
                self._held.pop(path.name, None)
        if not self._held:
            self._refusing.worked()

    def _hold(self, spool: str, error: FeedError) -> None:
        self._tails.pop(spool, None)
        held = self._held.setdefault(spool, _Held(self._taken, PAUSE_SECONDS))
        held.pause = min(held.pause * 2, MOST_HOLD_SECONDS)
        held.again_at = time.monotonic() + held.pause
        self._metrics.add(Counter.HELD_BATCHES)
        self._refusing.failed(error)

    def _ship(self, path: Path) -> None:
        tail = self._tails.get(path.name)
        if tail is None:
            tail = SpoolTail(path)
            tail.seek(self._client.ship(self._node, path.name, 0, [], TIMEOUT_SECONDS))
            self._tails[path.name] = tail
        gone = tail.writer_gone()
        while self._batch(tail):
            pass
        if gone and tail.remove():
            self._count_lost(tail)
            del self._tails[path.name]

    def _batch(self, tail: SpoolTail) -> bool:
        """Ship one batch; tells whether there was more when it was read.

        What comes meanwhile waits for the next round: batches of what came while the one before was under way
        would become ever smaller, and each costs the control plane a transaction.
        """
        first, entries = tail.read(BATCH_RECORDS)
        if not entries:
            return False
        is_whole = len(entries) == BATCH_RECORDS or tail.next > first + len(entries)  # a gap ends one early
        tail.release(self._send(tail.name, first, entries))
        self._count_lost(tail)
        return is_whole

    def _send(self, spool: str, first: int, entries: list[Entry]) -> int:
        """Ship entries, in parts if need be; return the sequence that follows.

        Raises :class:`FeedError`; then nothing is given up that the control plane might still take.
        """
        held = self._held.get(spool)
        before = self._taken if held is None else held.taken
        suspects: list[int] = []
        parts = [(first, entries)]
        while parts:
            start, part = parts.pop()
            try:
                self._client.ship(self._node, spool, start, _records(part), TIMEOUT_SECONDS)
            except FeedError as error:
                if len(part) > 1 and _may_be_one(error):
                    half = len(part) // 2
                    parts += [(start + half, part[half:]), (start, part[:half])]
                    continue
                suspects.append(start)
                hopeless = self._taken == before and (not parts or len(suspects) >= MOST_SUSPECTS)
                if hopeless or not _names_a_record(error):
                    raise
            else:
                self._taken += len(part)
                self._metrics.add(Counter.SHIPPED, len(part))
                self._give_up(spool, suspects)
        self._give_up(spool, suspects)
        return first + len(entries)

    def _give_up(self, spool: str, suspects: list[int]) -> None:
        for sequence in suspects:
            _log.error("entry %d of %s was refused as invalid and is lost", sequence, spool)
        self._metrics.add(Counter.REFUSED, len(suspects))
        suspects.clear()

    def _count_lost(self, tail: SpoolTail) -> None:
        if tail.lost:
            _log.error("%d entries of %s cannot be read and are lost", tail.lost, tail.name)
            self._metrics.add(Counter.UNREADABLE, tail.lost)
            tail.lost = 0


def _names_a_record(error: FeedError) -> bool:
    """Tell whether a value of a record is at fault. A field too many or too few is every record's."""
    return error.code == "invalid_value" and error.field.startswith("body.records")


def _may_be_one(error: FeedError) -> bool:
    """Tell whether parts of a batch may be taken although the whole was refused."""
    return error.status == 413 or (error.status in _REFUSALS and _names_a_record(error))


def _records(entries: list[Entry]) -> list[dict[str, object]]:
    """Entries are arrays on disk; on the wire each field has its name."""
    return [{name: getattr(entry, name) for name in Entry.__struct_fields__} for entry in entries]
