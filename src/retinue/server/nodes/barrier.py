"""After a change: waits until the connected nodes have applied it.

Whom to wait for is read once, after the commit; from then on only what those have acknowledged counts.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from retinue.server.ledger import feed as ledger
from retinue.server.nodes import wake
from retinue.server.nodes.models import Lease
from retinue.server.nodes.queries import CONNECTED
from retinue.server.nodes.settling import Awaited, Row, confirmed

#: Acknowledgements that other processes received are looked for so often (PostgreSQL).
_LOOK_SECONDS = 0.01
#: Successors of a connected follower have been heard within this time.
LATELY = timedelta(minutes=1)
_ROWS = """
SELECT node_id, incarnation, retires, epoch, revision, granted_at_ns, clock_id, state
FROM nodes_lease JOIN nodes_node ON nodes_node.id = node_id
WHERE last_contact_at > %s AND node_id IN ({nodes})
"""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A follower that was waited for. ``waited_ms`` is ``None`` if it did not confirm in time."""

    node: str
    incarnation: str
    waited_ms: float | None


@dataclass(frozen=True, slots=True)
class BarrierResult:
    """``complete`` if every connected node has applied the revision; ``nodes`` are those waited for."""

    revision: int
    complete: bool
    waited_ms: float
    nodes: tuple[Confirmation, ...]


def wait(revision: int, timeout_s: float = 1.0) -> BarrierResult:
    """Wait until every connected follower has applied ``revision``, at most ``timeout_s`` seconds.

    Call it after the commit, outside a transaction. No database connection is held between looks.
    """
    began = time.monotonic()
    ticket = wake.acknowledgements.ticket()
    epoch = ledger.position().epoch
    pending = {row.pk: row for row in _connected()}
    found: list[Confirmation] = []
    while True:
        waited_ms = (time.monotonic() - began) * 1e3
        for key in _confirmed(pending.values(), epoch, revision):
            row = pending.pop(key)
            found.append(Confirmation(row.node.name, row.incarnation, waited_ms))
        left = timeout_s - (time.monotonic() - began)
        if not pending or left <= 0:
            break
        wake.release_connection()
        pause = left if connection.vendor == "sqlite" else min(left, _LOOK_SECONDS)
        ticket = wake.acknowledgements.wait(ticket, pause)
    late = [Confirmation(row.node.name, row.incarnation, None) for row in pending.values()]
    return BarrierResult(revision, not pending, waited_ms, tuple(found + late))


def _connected() -> Iterable[Lease]:
    heard = timezone.now() - CONNECTED
    rows = Lease.objects.filter(is_superseded=False, node__state="enrolled", last_contact_at__gte=heard)
    return rows.select_related("node")


def _confirmed(pending: Iterable[Lease], epoch: int, revision: int) -> list[int]:
    """Return which of the rows have applied ``revision``, themselves or by a successor, as receipts see it.

    A node that was removed meanwhile is not waited for any longer.
    """
    keys = {(row.node_id, row.incarnation): row.pk for row in pending}
    if not keys:
        return []
    nodes = list({node for node, _ in keys})
    since = connection.ops.adapt_datetimefield_value(timezone.now() - LATELY)
    with connection.cursor() as cursor:
        cursor.execute(_ROWS.format(nodes=", ".join(["%s"] * len(nodes))), [since, *nodes])
        found = cursor.fetchall()
    removed = {row[0] for row in found if row[-1] != "enrolled"}
    waiting = [Awaited(node, incarnation, 0) for node, incarnation in keys]
    there = confirmed(waiting, (Row(*row[:-1]) for row in found), epoch, revision)
    there += [each for each in waiting if each.node in removed]
    return list(dict.fromkeys(keys[each.node, each.incarnation] for each in there))
