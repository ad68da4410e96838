"""Loads a snapshot, page by page, where there are too many changes, or another epoch."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from retinue.node.feed_client import FeedClient, FeedError, PollAnswer, SnapshotAnswer
from retinue.node.handing import Handing
from retinue.node.pages import BehindPage
from retinue.node.replica_writer import ReplicaWriter
from retinue.node.settings import Settings

_log = logging.getLogger("retinue.follower")
TIMEOUT_SECONDS = 30.0
#: After so many answers in a row that are behind a page, the page is what is wrong. One may just be late.
MOST_BEHIND = 2
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
        self._behind = 0

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

    def apply(self, answer: PollAnswer, sent_ns: int, sent_wall_ms: int) -> None:
        """Apply the answer to a poll; see :meth:`ReplicaWriter.apply`.

        A control plane whose head stays behind a page that it gave was set back in between, to a backup. What
        came of the page is not its history, so all is loaded anew. A relay only has to catch up.
        """
        try:
            self._replica.apply(answer, sent_ns, sent_wall_ms)
        except BehindPage:
            self._behind += 1
            if answer.hops or self._behind < MOST_BEHIND:
                raise
            self.begin(answer.epoch)
        self._behind = 0

    def _page(self, after: str) -> SnapshotAnswer:
        return self._waiting(partial(self._client.snapshot, after, TIMEOUT_SECONDS, relay=self._relays))
