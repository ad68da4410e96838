"""Deletes what is kept for a time only: a few rows in one short transaction, so that writers never wait long.

Audit events are not among it: see ``expiring``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db import transaction as database
from django.db.models import QuerySet

from retinue.server.ledger import current, feed
from retinue.server.ledger.models import AuditEvent, Change, Head
from retinue.server.ledger.transaction import one_writer

#: Changes are kept for so long; a node that is further behind loads a snapshot.
CHANGES_KEPT = timedelta(days=7)
#: PostgreSQL's advisory lock of whoever deletes: one process at a time.
_LOCK = 0x7265_7469_6E75_65


def delete_some(
    rows: QuerySet[Any, Any], most: int, before: Callable[[list[Any]], None] | None = None
) -> int:
    """Delete at most ``most`` of ``rows``, which need an index for their condition; return how many went.

    ``before`` is called with their keys in the same transaction, while they are there.
    """
    keys = list(rows.values_list("pk", flat=True)[:most])
    if not keys:
        return 0
    with _turn() as is_ours:
        if not is_ours:
            return 0
        if before is not None:
            before(keys)
        gone: int = rows.model._default_manager.filter(pk__in=keys).delete()[0]
        return gone


def compact(now: datetime, most: int) -> int:
    """Delete at most ``most`` changes of revisions that are old enough; return how many went.

    From the first of them on the head says so, and a node that is further behind is sent to the snapshot.
    """
    last = _last_before(now - CHANGES_KEPT)
    old = Change.objects.filter(revision__lte=last).order_by("revision")
    if not old.exists():
        return 0
    with _turn() as is_ours, current.compacting():
        if not is_ours:
            return 0
        Head.objects.filter(id=1, compacted_revision__lt=last).update(compacted_revision=last)
        return Change.objects.filter(id__in=list(old.values_list("id", flat=True)[:most])).delete()[0]


def _last_before(instant: datetime) -> int:
    """Return the last revision before ``instant``. Each has an event, so a few of them tell."""
    head = feed.position()
    low, high = head.compacted_revision, head.revision
    while low < high:
        middle = (low + high + 1) // 2
        if AuditEvent.objects.values_list("at", flat=True).get(revision=middle, n=1) < instant:
            low = middle
        else:
            high = middle - 1
    return low


@contextmanager
def _turn() -> Iterator[bool]:
    """A short transaction of its own; yields whether no other process deletes at this moment."""
    with one_writer(), database.atomic(durable=True):
        yield is_our_turn()


def is_our_turn() -> bool:
    """Tell whether no other process deletes at this moment; none begins before the open transaction ends."""
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        return bool(cursor.fetchone()[0])
