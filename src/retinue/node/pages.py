"""What an answer of the feed must be, so that it may be applied. Pure functions; all raise ``FeedError``."""

from __future__ import annotations

from typing import Any

from retinue.node.feed_client import FeedError, PollAnswer, SnapshotAnswer
from retinue.replica.lease import MOST_HOPS
from retinue.replica.records import Kind, Meta

FIRST_EPOCH = 1


class BehindPage(FeedError):
    """An answer whose head is behind that of records that are here: late, or the history was set back."""


_ORDER = {kind: number for number, kind in enumerate(Kind)}


#: A lease from a relay may be so old, in milliseconds.
_OLDEST_MS = 1 << 40


def reached(answer: PollAnswer, meta: Meta, after: str | None) -> int:
    """Return the revision that a replica at ``meta`` has when it has applied the changes of ``answer``.

    An answer with ``next`` brings only a part of the revision that follows: nothing is reached by it.
    Refuses one that leads back, one that says that there is more but leads nowhere (``after`` was asked),
    and changes of another epoch, or for a replica that has none yet: they do not begin where it stands.
    """
    if not 0 <= answer.hops <= MOST_HOPS or not 0 <= answer.age_ms <= _OLDEST_MS:
        raise FeedError(0, "unreadable", "a lease that no relay can give")
    if answer.epoch != meta.epoch or meta.epoch < FIRST_EPOCH:
        raise FeedError(0, "stale", "changes of another epoch than this replica's")
    if not answer.more and answer.next is None:
        revision = answer.head
    else:
        revision = max((change.revision for change in answer.changes), default=0)
        if revision <= meta.revision or answer.next == (after or ""):
            raise FeedError(0, "stalled", "an answer that has more and brings nothing")
        if answer.next is not None:
            return meta.revision
    if revision < meta.revision:
        raise FeedError(0, "stale", "an answer that is behind this replica")
    if revision < meta.newest_head and not answer.more:
        raise BehindPage(0, "stale", "an answer that is behind records that are here")
    return revision


def newest(answer: PollAnswer, meta: Meta) -> tuple[int, str]:
    """Return the newest head, with its mark, of which there are records when an answer has been applied.

    Records are sent as they are at the head, also where the answer does not lead there.
    """
    here, sent = (meta.newest_head, meta.newest_mark), (answer.head, answer.head_mark)
    return max(here, sent) if answer.more or answer.next is not None else here


def seen(meta: Meta) -> dict[str, Any] | None:
    """Return what a poll says of records that are newer than what is applied; ``None`` without them.

    A control plane that does not know that revision was set back since: what came then is not its history.
    """
    if not meta.newest_mark or meta.newest_head <= meta.revision:
        return None
    return {"epoch": meta.epoch, "revision": meta.newest_head, "mark": meta.newest_mark}


def check(page: SnapshotAnswer, after: str, meta: Meta) -> None:
    """Refuse a page of an epoch before that of ``meta``, one that does not go on, and one that strays.

    A page holds the records in ``(after, next]`` and no others; the last page has no ``next``.
    """
    if page.epoch < max(meta.epoch, FIRST_EPOCH):
        raise FeedError(0, "stale", "a snapshot of an epoch before this replica's")
    first, last = place(after), place(page.next)
    if last is not None and first is not None and _rank(last) <= _rank(first):
        raise FeedError(0, "stalled", "a page of a snapshot that does not go on")
    for change in page.changes:
        rank = _rank((change.kind, change.key))
        if (first is not None and rank <= _rank(first)) or (last is not None and rank > _rank(last)):
            raise FeedError(0, "unreadable", "a page of a snapshot that holds what belongs to another")


def place(text: str | None) -> tuple[Kind, str] | None:
    """Return the kind and key in ``<kind>/<key>``; ``None`` for no place."""
    if not text:
        return None
    kind, _, key = text.partition("/")
    try:
        return Kind(kind), key
    except ValueError:
        raise FeedError(0, "unreadable", "a place in a snapshot of an unknown kind") from None


def _rank(place: tuple[Kind, str]) -> tuple[int, bytes]:
    return _ORDER[place[0]], place[1].encode()
