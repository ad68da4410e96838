"""The lease rows: what each incarnation of each node has acknowledged, and when it was last heard.

Every poll writes one row, in a transaction of its own that is committed before the head is read: a change
that is committed in between is then either seen by the poll, or its barrier sees the row. On SQLite it does
not wait for the disk: each change waits for a poll, and would wait twice. After a power cut rows may be older
than they were, or missing: after a boot no receipt is complete before every lease that they gave has ended.
On PostgreSQL polls that arrive together share one flush.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from django.db import connection
from django.utils import timezone

from retinue.replica import clocks
from retinue.replica.clocks import Clock
from retinue.replica.lease import boot_clock_ns, boot_id
from retinue.server.credentials.compile import milliseconds
from retinue.server.errors import Refused
from retinue.server.ledger.pruning import delete_some
from retinue.server.ledger.relaxed import relaxed
from retinue.server.ledger.transaction import one_writer
from retinue.server.nodes import freshness
from retinue.server.nodes.history import InDoubt, doubt_about
from retinue.server.nodes.models import Lease, Node
from retinue.server.nodes.rules import PollRequest, acknowledged
from retinue.server.nodes.settling import Awaited

_KEPT = timedelta(days=7)
#: New incarnations of one node within so many seconds.
MOST_NEW = 20
MOST_NEW_SECONDS = 10
# Every poll sends these, and every change waits for one: the ORM would take longer than the database.
_RENEW = """
UPDATE nodes_lease SET epoch = %s, revision = %s, granted_at_ns = %s, clock_id = %s, last_contact_at = %s
WHERE node_id = %s AND incarnation = %s AND NOT is_superseded
  AND EXISTS (SELECT 1 FROM nodes_node WHERE id = node_id AND state = 'enrolled')
  AND EXISTS (SELECT 1 FROM ledger_head WHERE id = 1 AND (epoch > %s OR epoch = %s AND (%s = 0 OR EXISTS (
    SELECT 1 FROM ledger_auditevent e WHERE e.revision = %s AND n = 1 AND (%s = '' OR mark IN ('', %s))))))
RETURNING clock
"""
_REMEMBER = "UPDATE nodes_lease SET clock = %s WHERE node_id = %s AND incarnation = %s"
_STATE = """
SELECT is_superseded, state FROM nodes_lease JOIN nodes_node ON nodes_node.id = node_id
WHERE node_id = %s AND incarnation = %s
"""


@cache
def clock_id() -> str:
    """Return which boot-time clock this is: boot and time namespace."""
    namespace = Path("/proc/self/ns/time")
    return f"{boot_id()} {namespace.readlink()}" if namespace.is_symlink() else boot_id()


def age_seconds(lease: Lease, now: datetime) -> float:
    """Return how long ago a node was last heard: by our boot-time clock, or by the wall clock if that of
    another host has written the row.
    """
    if lease.clock_id == clock_id():
        return max(boot_clock_ns() - lease.granted_at_ns, 0) / 1e9
    return max((now - lease.last_contact_at).total_seconds(), 0.0)


def record(node: Node, request: PollRequest) -> Clock:
    """Store an acknowledgement and the moment; commits before it returns what is known of the node's clock.

    Raises :class:`Refused`: ``node_removed``, ``superseded`` for an incarnation that a newer one followed, or
    ``rate_limited`` for too many new ones; and :class:`InDoubt`, recording nothing, if what is acknowledged
    is not of this history.
    """
    with one_writer(first=True), relaxed():
        doubt = None if request.seen is None else doubt_about(node.name, request.seen)
        said = _acknowledged(request)
        known = None if doubt is not None else _renew(node, request, said)
        if known is None and doubt is None:
            doubt = doubt_about(node.name, request.applied)
        if doubt is None:
            known = _register(node, request, said) if known is None else known
            return _watch(node, request, said, clocks.load(known))
    raise InDoubt(doubt)


def _watch(node: Node, request: PollRequest, said: dict[str, Any], known: Clock) -> Clock:
    """Compare the node's clock with ours, and remember what that shows."""
    if request.clock is None:
        return known
    now_ms = milliseconds(said["last_contact_at"])
    ahead_ms = None if request.wall is None else request.wall - now_ms
    point = clocks.Point(said["granted_at_ns"], request.clock, ahead_ms)
    seen = clocks.observe(known, said["clock_id"], point, now_ms)
    if seen is not known:
        seen = clocks.counted(seen, known, freshness.shortest_seconds() * 1_000, now_ms)
        with connection.cursor() as cursor:
            cursor.execute(_REMEMBER, [clocks.dump(seen), node.id, request.incarnation])
    return seen


def tell(node: Node, request: PollRequest) -> None:
    """Store what a relay has told of the nodes that follow it, with when it was told."""
    said = [
        {**msgspec.to_builtins(each), "parent": each.parent or node.name, "heard_at": _heard(each.ago_ms)}
        for each in request.followers or ()
    ]
    with one_writer(), relaxed():
        Lease.objects.filter(node=node, incarnation=request.incarnation).update(followed_by=said)


def behind(relay: Awaited, epoch: int, revision: int) -> list[str]:
    """Return the names of the nodes that had not applied a revision when their relay last told of them."""
    rows = Lease.objects.filter(node__name=relay.node, incarnation=relay.incarnation)
    told = [each for said in rows.values_list("followed_by", flat=True) for each in said]
    reached = {"epoch": epoch, "revision": revision}
    return sorted({each["node"] for each in told if not _has(each["applied"], reached)})


def _has(applied: dict[str, int], reached: dict[str, int]) -> bool:
    return applied["epoch"] == reached["epoch"] and applied["revision"] >= reached["revision"]


def _heard(ago_ms: int) -> float:
    return timezone.now().timestamp() - min(ago_ms, _KEPT.total_seconds() * 1e3) / 1e3


def check(node: Node, incarnation: str) -> None:
    """Raise :class:`Refused` if the node was removed or the incarnation superseded meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(_STATE, [node.id, incarnation])
        row = cursor.fetchone()
    if row is None or row[1] != "enrolled":
        raise _removed(node)
    if row[0]:
        raise _superseded(node, incarnation)


def _renew(node: Node, request: PollRequest, said: dict[str, Any]) -> str | None:
    """Update the row of an incarnation that is known and current: one statement. Return its clock."""
    at = connection.ops.adapt_datetimefield_value(said["last_contact_at"])
    applied = request.applied
    place = (applied.epoch, applied.epoch, applied.revision, applied.revision, applied.mark, applied.mark)
    with connection.cursor() as cursor:
        cursor.execute(
            _RENEW, [*(said | {"last_contact_at": at}).values(), node.id, request.incarnation, *place]
        )
        row = cursor.fetchone()
    return None if row is None else str(row[0])


def _register(node: Node, request: PollRequest, said: dict[str, Any]) -> str:
    """Make the row of a new incarnation; older ones of the node are superseded by it. Return its clock.

    Who goes on with the replica of the one before, in the same boot, goes on with its clock.
    """
    locked = Node.objects.select_for_update(no_key=True).get(id=node.id)
    if locked.state != "enrolled":
        raise _removed(node)
    rows = Lease.objects.filter(node=node)
    present = rows.filter(incarnation=request.incarnation).first()
    if present is not None and present.is_superseded:
        raise _superseded(node, request.incarnation)
    if present is None:
        _check_pace(node)
    before = rows.order_by("last_contact_at").last()
    kept = _kept(before, request)
    rows.filter(is_superseded=False).update(is_superseded=True)
    Lease.objects.update_or_create(
        node=node, incarnation=request.incarnation,
        defaults={"retires": request.retires or "", "is_superseded": False, **kept, **said},
    )  # fmt: skip
    return str(kept["clock"])


def _kept(before: Lease | None, request: PollRequest) -> dict[str, Any]:
    """Return what a new row goes on with: counters, and the clock if it is the same replica."""
    if before is None:
        return {"clock": ""}
    clock = before.clock
    if before.incarnation not in (request.incarnation, request.retires):
        clock = clocks.dump(clocks.other_replica(clocks.load(clock)))
    return {"clock": clock, "waits": before.waits, "waited_at": before.waited_at}


def _check_pace(node: Node) -> None:
    """Refuse a node that makes new incarnations faster than any program restarts: their rows are kept."""
    now_ns = boot_clock_ns()
    since = now_ns - MOST_NEW_SECONDS * 1_000_000_000
    recent = Lease.objects.filter(node=node, clock_id=clock_id(), granted_at_ns__range=(since, now_ns))
    if recent.count() >= MOST_NEW:
        detail = f"at most {MOST_NEW} followers of one node within {MOST_NEW_SECONDS} s"
        raise Refused("rate_limited", detail)


def prune(now: datetime, most: int) -> int:
    """Delete at most ``most`` rows of incarnations that were superseded long ago; return how many went."""
    return delete_some(Lease.objects.filter(is_superseded=True, last_contact_at__lt=now - _KEPT), most)


def _acknowledged(request: PollRequest) -> dict[str, Any]:
    """Return the columns that a poll writes, in the order of ``_RENEW``."""
    said = acknowledged(request)
    return {
        "epoch": said.epoch,
        "revision": said.revision,
        "granted_at_ns": boot_clock_ns(),
        "clock_id": clock_id(),
        "last_contact_at": timezone.now(),
    }


def _removed(node: Node) -> Refused:
    return Refused("node_removed", f"the node {node.name} was removed; enrol it again")


def _superseded(node: Node, incarnation: str) -> Refused:
    return Refused("superseded", f"another follower of {node.name} came after {incarnation}")
