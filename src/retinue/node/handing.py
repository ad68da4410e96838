"""Hands the journal over to a control plane that has begun another epoch: it may have forgotten what we saw.

Page by page, to the end, before a record of the new epoch is written here. Every page may be sent twice. A
follower that is started again hands all of it over again.
"""

from __future__ import annotations

import logging

from retinue.node.feed_client import FeedClient
from retinue.node.replica_writer import ReplicaWriter

_log = logging.getLogger("retinue.follower")
TIMEOUT_SECONDS = 30.0


class Handing:
    """What this follower has handed over: of which incarnation, for which epoch."""

    def __init__(self, client: FeedClient, replica: ReplicaWriter, node: str) -> None:
        self._client = client
        self._replica = replica
        self._node = node
        self._done: tuple[str, int] | None = None

    def is_due(self, epoch: int) -> bool:
        """Tell whether the journal must be handed over before anything of ``epoch`` is written."""
        return 0 < self._replica.meta.epoch < epoch and self._done != (self._replica.incarnation, epoch)

    def over(self, epoch: int) -> None:
        """Hand the journal over. Raises ``FeedError``; then all of it is handed over again."""
        meta, after, unknown = self._replica.meta, b"", 0
        lease_ms = self._replica.longest_lease_ms()
        while True:
            lines, after = self._replica.journal(after)
            body = {
                "node": self._node,
                "incarnation": self._replica.incarnation,
                "epoch": epoch,
                "applied": {"epoch": meta.epoch, "revision": meta.revision, "mark": meta.mark},
                "lines": lines,
                "more": bool(lines),
                "lease_ms": lease_ms,
            }
            unknown += self._client.journal(body, TIMEOUT_SECONDS)
            if not lines:
                break
        self._done = (self._replica.incarnation, epoch)
        _log.warning(
            "epoch %d has begun: handed the journal over; the control plane did not know %d changes of it",
            epoch,
            unknown,
        )
