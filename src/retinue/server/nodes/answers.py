"""What the feed answers to a poll."""

from __future__ import annotations

import msgspec

from retinue.replica.records import Change
from retinue.server.nodes.rules import Canary


class PollAnswer(msgspec.Struct, frozen=True):
    """The answer to a poll. ``time`` is the wall clock in ms; ``lease`` is true only up to the head.

    ``snapshot`` tells the node to load a snapshot first; there are no changes then, and no lease. ``next``
    stands where these changes are only the first part of a revision: the node repeats it as ``after`` in its
    next poll, and has applied nothing of it as long as it says so.
    ``renew`` tells it to renew the credential with which it polled.
    ``lease_ms`` is the shortest lease in force. ``mark`` is that of the revision that these changes reach,
    ``head_mark`` that of the head, if they do not reach it.
    ``refused`` says why there is no lease though the head is reached: ``clock``, the node's clock is slow.
    Nothing may be decided then, also under the lease before. ``canary`` is to be verified until refused.
    ``journal`` tells a node of an earlier epoch to hand over its journal, ``recovering`` to wait until the
    history is sure again: there is neither a snapshot nor a lease before.
    """

    incarnation: str
    epoch: int
    head: int
    changes: list[Change]
    more: bool
    lease: bool
    time: int
    snapshot: bool = False
    renew: bool = False
    next: str | None = None
    lease_ms: int = 10_000
    mark: str = ""
    refused: str | None = None
    journal: bool = False
    recovering: bool = False
    canary: Canary | None = None
    nodes: int = 1
    head_mark: str = ""
