"""Lease rows of many polls at once: one statement, one commit. ``leases`` does the same for a single one.

A poll whose row is not there yet, is superseded, or belongs to a history that is not ours, is left out: it is
recorded by itself, where such things are found out and refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils import timezone

from retinue.replica import clocks
from retinue.replica.clocks import Clock, Point
from retinue.replica.lease import boot_clock_ns
from retinue.server.credentials.compile import milliseconds
from retinue.server.nodes import freshness
from retinue.server.nodes.leases import clock_id
from retinue.server.nodes.rules import PollRequest, acknowledged

# What `leases` asks of one poll, of each of these.
_RENEW = """
WITH said(node, incarnation, epoch, revision, at_epoch, at_revision, mark) AS (VALUES {rows})
UPDATE nodes_lease SET epoch = said.epoch, revision = said.revision,
  granted_at_ns = %s, clock_id = %s, last_contact_at = %s
FROM said WHERE node_id = said.node AND nodes_lease.incarnation = said.incarnation AND NOT is_superseded
  AND EXISTS (SELECT 1 FROM nodes_node WHERE id = said.node AND state = 'enrolled')
  AND EXISTS (SELECT 1 FROM ledger_head WHERE id = 1 AND (ledger_head.epoch > said.at_epoch
    OR ledger_head.epoch = said.at_epoch AND (said.at_revision = 0 OR EXISTS (
      SELECT 1 FROM ledger_auditevent e WHERE e.revision = said.at_revision AND e.n = 1
        AND (said.mark = '' OR e.mark IN ('', said.mark))))))
RETURNING node_id, nodes_lease.incarnation, clock
"""
_ROW = "(%s, %s, %s, %s, %s, %s, %s)"
_REMEMBER = "UPDATE nodes_lease SET clock = %s WHERE node_id = %s AND incarnation = %s"
_PRESENT = """
SELECT node_id, incarnation FROM nodes_lease JOIN nodes_node ON nodes_node.id = node_id
WHERE NOT is_superseded AND state = 'enrolled' AND incarnation IN ({incarnations})
"""
#: An incarnation of a node.
Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Said:
    """What one poll says, and the node whose it is."""

    node: str
    request: PollRequest

    @property
    def place(self) -> Place:
        """Whose row it is."""
        return self.node, self.request.incarnation


def record(polls: Sequence[Said]) -> dict[Place, Clock]:
    """Store what these polls acknowledge, and the moment, in the open transaction.

    Returns what is known of the clocks of those that were stored. Commit before anything is read for them.
    No two polls may be of one incarnation.
    """
    now_ns, now = boot_clock_ns(), timezone.now()
    latest = {each.place: each for each in polls}
    if len(latest) < len(polls):
        raise ValueError("two polls of one incarnation")
    given: list[Any] = [part for each in latest.values() for part in _row(each)]
    at = connection.ops.adapt_datetimefield_value(now)
    sql = _RENEW.format(rows=", ".join([_ROW] * len(latest)))
    with connection.cursor() as cursor:
        cursor.execute(sql, [*given, now_ns, clock_id(), at])
        found = {(node, incarnation): clocks.load(clock) for node, incarnation, clock in cursor.fetchall()}
    return _watched(latest, found, now_ns, milliseconds(now))


def _row(said: Said) -> tuple[Any, ...]:
    applied, confirmed = said.request.applied, acknowledged(said.request)
    return (*said.place, confirmed.epoch, confirmed.revision, applied.epoch, applied.revision, applied.mark)


def _watched(
    polls: dict[Place, Said], known: dict[Place, Clock], now_ns: int, now_ms: int
) -> dict[Place, Clock]:
    """Compare the nodes' clocks with ours, and remember what that shows."""
    seen: dict[Place, Clock] = {}
    lease_ms = 0
    for place, clock in known.items():
        request = polls[place].request
        if request.clock is None:
            continue
        ahead_ms = None if request.wall is None else request.wall - now_ms
        now = clocks.observe(clock, clock_id(), Point(now_ns, request.clock, ahead_ms), now_ms)
        if now is not clock:
            lease_ms = lease_ms or freshness.shortest_seconds() * 1_000
            seen[place] = clocks.counted(now, clock, lease_ms, now_ms)
    if seen:
        with connection.cursor() as cursor:
            cursor.executemany(_REMEMBER, [(clocks.dump(clock), *place) for place, clock in seen.items()])
    return known | seen


def present(places: Sequence[Place]) -> set[Place]:
    """Return which of these incarnations are still those of enrolled nodes, inside an open read."""
    if not places:
        return set()
    incarnations = [incarnation for _, incarnation in places]
    with connection.cursor() as cursor:
        cursor.execute(_PRESENT.format(incarnations=", ".join(["%s"] * len(incarnations))), incarnations)
        return set(cursor.fetchall())
