"""After a change: waits until the connected nodes have applied it.

Whom to wait for is read once, after the commit; from then on only what those have acknowledged counts.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection
from django.utils import timezone

from retinue.server.nodes import wake
from retinue.server.nodes.models import Lease
from retinue.server.nodes.queries import CONNECTED

#: Acknowledgements that other processes received are looked for so often (PostgreSQL).
_LOOK_SECONDS = 0.01
_SETTLED = """
SELECT node_id, incarnation, retires FROM nodes_lease JOIN nodes_node ON nodes_node.id = node_id
WHERE (revision >= %s OR state <> 'enrolled') AND node_id IN ({nodes})
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
    pending = {row.pk: row for row in _connected()}
    found: list[Confirmation] = []
    while True:
        waited_ms = (time.monotonic() - began) * 1e3
        for key in _confirmed(pending.values(), revision):
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


def _confirmed(pending: Iterable[Lease], revision: int) -> list[int]:
    """Return which of the rows have applied ``revision``, themselves or through a successor.

    A successor that says that it retires a row works on the same replica, so what it has applied counts.
    A node that was removed meanwhile is not waited for any longer.
    """
    rows = {(row.node_id, row.incarnation): row.pk for row in pending}
    if not rows:
        return []
    nodes = list({node for node, _ in rows})
    with connection.cursor() as cursor:
        cursor.execute(_SETTLED.format(nodes=", ".join(["%s"] * len(nodes))), [revision, *nodes])
        settled = cursor.fetchall()
    found = []
    for node, incarnation, retires in settled:
        found += [rows[place] for place in ((node, incarnation), (node, retires)) if place in rows]
    return list(dict.fromkeys(found))
