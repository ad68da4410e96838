"""Reads of nodes: who they are, how far each has applied, and their public keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from retinue.replica import records
from retinue.server.credentials.compile import milliseconds
from retinue.server.errors import NotFound
from retinue.server.ledger import feed
from retinue.server.ledger.feed import Position
from retinue.server.nodes.models import IdentityKey, Lease, Node

__all__ = ["CONNECTED", "Node", "NodeView", "by_credential", "identity_keys", "node", "nodes", "views"]

#: A follower that was heard within this time counts as connected: a few holds of a poll.
CONNECTED = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node with what its present incarnation has acknowledged."""

    node: Node
    connected: bool
    incarnation: str
    epoch: int
    revision: int
    lag: int
    last_contact_at: datetime | None


def nodes() -> QuerySet[Node]:
    """Return the enrolled nodes."""
    return Node.objects.filter(state="enrolled")


def node(ident: str) -> Node:
    """Return a node by id. Raises :class:`NotFound`."""
    found = Node.objects.filter(id=ident).select_related("credential").first()
    if found is None:
        raise NotFound("node", ident)
    return found


def by_credential(credential_id: str) -> Node | None:
    """Return the node to which a node credential is bound, be it the present one or the one before."""
    bound = Q(credential_id=credential_id) | Q(previous_credential_id=credential_id)
    return Node.objects.filter(bound).first()


def views(rows: Sequence[Node]) -> list[NodeView]:
    """Return nodes with their present lease, in two queries."""
    leases: dict[str, Lease] = {}
    for lease in Lease.objects.filter(node__in=rows, is_superseded=False).order_by("last_contact_at"):
        leases[lease.node_id] = lease
    head = feed.position()
    now = timezone.now()
    return [_view(row, leases.get(row.id), head, now) for row in rows]


def _view(row: Node, lease: Lease | None, head: Position, now: datetime) -> NodeView:
    if lease is None:
        return NodeView(row, False, "", 0, 0, head.revision, None)
    connected = row.state == "enrolled" and now - lease.last_contact_at < CONNECTED
    lag = max(head.revision - lease.revision, 0) if lease.epoch == head.epoch else head.revision
    return NodeView(
        row, connected, lease.incarnation, lease.epoch, lease.revision, lag, lease.last_contact_at
    )


def identity_keys() -> list[records.IdentityKey]:
    """Return the public identity keys that are in force."""
    rows = IdentityKey.objects.exclude(not_after__lte=timezone.now()).select_related("node").order_by("kid")
    return [records.IdentityKey(row.kid, row.node.name, row.x, milliseconds(row.not_after)) for row in rows]
