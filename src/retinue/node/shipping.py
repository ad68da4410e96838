"""Ships the request log: reads the spools of this host's workers and sends batches, exactly once.

The control plane says which sequence number of a spool it expects next; after a restart it is asked
before anything is sent. What is shipped is deleted here.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from retinue.node.feed_client import FeedClient, FeedError
from retinue.usage import Entry, SpoolTail, spools

_log = logging.getLogger("retinue.shipping")
BATCH_RECORDS = 1_000
PAUSE_SECONDS = 0.1
MOST_PAUSE_SECONDS = 5.0
TIMEOUT_SECONDS = 10.0


class Shipper(threading.Thread):
    """The shipping thread of a follower; it has a connection of its own and never delays a poll."""

    def __init__(self, client: FeedClient, node: str, folder: Path) -> None:
        super().__init__(name="retinue-shipping", daemon=True)
        self._client = client
        self._node = node
        self._folder = folder
        self._tails: dict[str, SpoolTail] = {}
        self._stopping = threading.Event()
        self.lost = 0

    def run(self) -> None:
        """Ship until stopped, then once more what is there."""
        pause = PAUSE_SECONDS
        while not self._stopping.wait(pause):
            try:
                self._round()
                pause = PAUSE_SECONDS
            except FeedError as error:
                _log.warning("shipping: %s", error)
                self._tails.clear()  # ask anew where each spool stands
                pause = min(pause * 2, MOST_PAUSE_SECONDS)
            except OSError as error:
                _log.warning("shipping: %s", error.strerror)
                pause = min(pause * 2, MOST_PAUSE_SECONDS)
        try:
            self._round()
        except (FeedError, OSError) as error:
            _log.warning("shipping at the end: %s", error)

    def stop(self, seconds: float) -> None:
        """Ship what is there and end, within ``seconds``."""
        self._stopping.set()
        self.join(seconds)

    def _round(self) -> None:
        for path in spools(self._folder):
            tail = self._tails.get(path.name)
            if tail is None:
                tail = SpoolTail(path)
                tail.seek(self._client.ship(self._node, path.name, 0, [], TIMEOUT_SECONDS))
                self._tails[path.name] = tail
            gone = tail.writer_gone()
            while self._batch(tail):
                pass
            if gone and tail.remove():
                del self._tails[path.name]

    def _batch(self, tail: SpoolTail) -> bool:
        """Ship one batch; tells whether there may be more."""
        first, entries = tail.read(BATCH_RECORDS)
        if not entries:
            return False
        try:
            following = self._client.ship(self._node, tail.name, first, _records(entries), TIMEOUT_SECONDS)
        except FeedError as error:
            if error.status not in (400, 413, 422):
                raise
            following = self._one_by_one(tail.name, first, entries)
        tail.release(following)
        return True  # a gap ends a batch early; only an empty one is the end

    def _one_by_one(self, spool: str, first: int, entries: list[Entry]) -> int:
        """A batch was refused as invalid: send what is good, and count what is not as lost."""
        for sequence, entry in enumerate(entries, start=first):
            try:
                self._client.ship(self._node, spool, sequence, _records([entry]), TIMEOUT_SECONDS)
            except FeedError as error:
                if error.status not in (400, 413, 422):
                    raise
                self.lost += 1
                _log.error("entry %d of %s was refused and is lost: %s", sequence, spool, error.code)
        return first + len(entries)


def _records(entries: list[Entry]) -> list[dict[str, object]]:
    """Entries are arrays on disk; on the wire each field has its name."""
    return [{name: getattr(entry, name) for name in Entry.__struct_fields__} for entry in entries]
