"""Reads of nodes: who they are, how far each has applied, and their public keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from retinue.replica import clocks, records
from retinue.replica.clocks import Clock
from retinue.server.credentials.compile import milliseconds
from retinue.server.errors import NotFound
from retinue.server.ledger import feed
from retinue.server.ledger.feed import Position
from retinue.server.nodes import freshness, leases
from retinue.server.nodes.models import IdentityKey, Lease, Node, NodeAbout, Receipt

__all__ = [
    "CONNECTED",
    "Clock",
    "Node",
    "NodeAbout",
    "NodeView",
    "by_credential",
    "identity_keys",
    "last_receipt",
    "node",
    "nodes",
    "views",
]

#: A follower that was heard within this time counts as connected: a few holds of a poll.
CONNECTED = timedelta(seconds=5)
#: What relays told of others is forgotten when nothing was heard of the relay for so long.
TOLD_LATELY = timedelta(days=1)
#: Every poll asks this; putting it together in the ORM would take longer than the answer.
_TOLD = ("id", "name", "state", "credential_id", "previous_credential_id")
_BY_CREDENTIAL = """
SELECT id, name, state, credential_id, previous_credential_id FROM nodes_node
WHERE credential_id = %s OR previous_credential_id = %s
"""


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node with what its present incarnation has acknowledged.

    ``lease_seconds`` is for how long it goes on deciding unheard, at most, for any organization;
    ``stale_seconds`` for how long it was without a lease for some. ``waits`` changes had to wait for it.
    """

    node: Node
    connected: bool
    incarnation: str
    epoch: int
    revision: int
    lag: int
    last_contact_at: datetime | None
    clock: Clock
    lease_seconds: float = 0.0
    stale_seconds: float = 0.0
    waits: int = 0
    waited_at: datetime | None = None
    #: The relay that it follows; ``None`` for the control plane.
    parent: str | None = None

    @property
    def about(self) -> NodeAbout | None:
        """What it last said of itself; ``None`` if its version says nothing."""
        return getattr(self.node, "about", None)


def nodes() -> QuerySet[Node]:
    """Return the enrolled nodes."""
    return Node.objects.filter(state="enrolled").select_related("about")


def node(ident: str) -> Node:
    """Return a node by id. Raises :class:`NotFound`."""
    found = Node.objects.filter(id=ident).select_related("credential", "about").first()
    if found is None:
        raise NotFound("node", ident)
    return found


def by_credential(credential_id: str) -> Node | None:
    """Return the node to which a node credential is bound, be it the present one or the one before."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_CREDENTIAL, [credential_id, credential_id])
        row = cursor.fetchone()
    return None if row is None else Node.from_db(connection.alias, _TOLD, row)


def last_receipt(organization_id: str) -> Receipt | None:
    """Return the receipt of the last change of an organization that took access away; ``None`` before one."""
    return Receipt.objects.filter(organization=organization_id).order_by("-revision").first()


def views(rows: Sequence[Node]) -> list[NodeView]:
    """Return nodes with what was last heard of each, from itself or from the relay that it follows."""
    present: dict[str, Lease] = {}
    for lease in Lease.objects.filter(node__in=rows, is_superseded=False).order_by("last_contact_at"):
        present[lease.node_id] = lease
    head = feed.position()
    now, longest = timezone.now(), freshness.longest_seconds()
    told = _told()
    found = (_view(row, present.get(row.id), head, now, longest) for row in rows)
    return [_from_relay(view, told.get(view.node.name), head, now, longest) for view in found]


def _told() -> dict[str, dict[str, Any]]:
    """Return what relays last told of the nodes that follow them, the latest of each."""
    relays = Lease.objects.filter(node__is_relay=True, last_contact_at__gt=timezone.now() - TOLD_LATELY)
    told = (each for said in relays.values_list("followed_by", flat=True) for each in said)
    return {each["node"]: each for each in sorted(told, key=lambda each: float(each["heard_at"]))}


def _from_relay(
    view: NodeView, told: dict[str, Any] | None, head: Position, now: datetime, length_s: int
) -> NodeView:
    """Return the view of a node with what its relay told of it, if that is later than what it said itself."""
    if told is None or view.node.state != "enrolled":
        return view
    at, applied = datetime.fromtimestamp(told["heard_at"], UTC), told["applied"]
    if view.last_contact_at is not None and view.last_contact_at >= at:
        return view
    is_here = applied["epoch"] == head.epoch
    return replace(
        view,
        connected=now - at < CONNECTED,
        incarnation=told["incarnation"],
        epoch=applied["epoch"],
        revision=applied["revision"],
        lag=max(head.revision - applied["revision"], 0) if is_here else head.revision,
        last_contact_at=at,
        lease_seconds=max(length_s - (now - at).total_seconds(), 0.0),
        parent=told["parent"],
    )


def _view(row: Node, lease: Lease | None, head: Position, now: datetime, length_s: int) -> NodeView:
    if lease is None:
        return NodeView(row, False, "", 0, 0, head.revision, None, Clock())
    clock = clocks.load(lease.clock)
    return NodeView(
        node=row,
        connected=row.state == "enrolled" and now - lease.last_contact_at < CONNECTED,
        incarnation=lease.incarnation,
        epoch=lease.epoch,
        revision=lease.revision,
        lag=max(head.revision - lease.revision, 0) if lease.epoch == head.epoch else head.revision,
        last_contact_at=lease.last_contact_at,
        lease_seconds=0.0 if clock.is_slow else max(length_s - leases.age_seconds(lease, now), 0.0),
        stale_seconds=clocks.stale_ms(clock, length_s * 1_000, milliseconds(now)) / 1e3,
        clock=clock,
        waits=lease.waits,
        waited_at=lease.waited_at,
    )


def identity_keys() -> list[records.IdentityKey]:
    """Return the public identity keys that are in force."""
    rows = IdentityKey.objects.exclude(not_after__lte=timezone.now()).select_related("node").order_by("kid")
    return [records.IdentityKey(row.kid, row.node.name, row.x, milliseconds(row.not_after)) for row in rows]
