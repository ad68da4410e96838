"""Loads a snapshot, page by page, where there are too many changes, or another epoch."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from retinue.node.feed_client import FeedClient, FeedError, SnapshotAnswer
from retinue.node.handing import Handing
from retinue.node.replica_writer import ReplicaWriter
from retinue.node.settings import Settings

_log = logging.getLogger("retinue.follower")
TIMEOUT_SECONDS = 30.0
_T = TypeVar("_T")


class Waiting(Protocol):
    """Waits for something in such a way that a signal ends it at once."""

    def __call__(self, wait: Callable[[], _T]) -> _T: ...


class Loading:
    """The loading of one replica. A relay loads what is for relays alone, too."""

    def __init__(
        self,
        client: FeedClient,
        replica: ReplicaWriter,
        handing: Handing,
        settings: Settings,
        waiting: Waiting,
    ) -> None:
        self._client = client
        self._replica = replica
        self._handing = handing
        self._relays = settings.relays
        self._waiting = waiting

    def begin(self, epoch: int) -> None:
        """Load the first page: of ``epoch``, which the control plane has just named, or of a later one.

        What is known here and there no longer is handed over before it is written over.
        """
        page = self._page("")
        if page.epoch < epoch:
            raise FeedError(0, "stale", "a snapshot of an earlier epoch")
        if self._handing.is_due(page.epoch):
            self._waiting(partial(self._handing.over, page.epoch))
        _log.info("loading a snapshot of epoch %d, revision %d", page.epoch, page.head)
        self._replica.take(page, "")

    def go_on(self) -> None:
        """Load the next page."""
        after, epoch = self._replica.meta.snapshot_after, self._replica.meta.epoch
        page = self._page(after)
        if page.epoch > epoch:
            self.begin(page.epoch)
        else:
            self._replica.take(page, after)

    def _page(self, after: str) -> SnapshotAnswer:
        return self._waiting(partial(self._client.snapshot, after, TIMEOUT_SECONDS, relay=self._relays))
