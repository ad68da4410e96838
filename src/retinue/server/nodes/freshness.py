"""Which lease counts: for a poll, for a change of one organization, and for one of the whole installation.

How long a node decides about an organization without contact is that organization's to say. Until a shorter
lease holds everywhere, by its own receipt, some node may still decide under the longer one, and every change
of the organization waits for that. A longer lease may be in use from its commit on.
"""

from __future__ import annotations

from django.db.models import Max, QuerySet

from retinue.server.ledger.catalogue import EVENTS
from retinue.server.ledger.transaction import Transaction
from retinue.server.nodes.models import Receipt
from retinue.server.policies import queries as policies
from retinue.server.policies.actions import LEASE_BEFORE

#: What these belong to is no organization's: a change of theirs may touch decisions about any.
INSTALLATION = frozenset({"permission", "node", "node_credential", "identity_key", "setup_code"})


def shortest_seconds() -> int:
    """Return the shortest lease in force: a poll is held for an eighth of it at most."""
    return policies.lease_range()[0]


def longest_seconds() -> int:
    """Return the longest lease that may be in use on some node, for some organization."""
    return max(policies.lease_range()[1], _shortened(Receipt.objects.filter(state="pending")))


def awaited_seconds(organization: str) -> int:
    """Return the longest lease that may be in use on some node for one organization."""
    pending = Receipt.objects.filter(organization=organization, state="pending")
    return max(policies.lease_of(organization), _shortened(pending))


def of_change(tx: Transaction) -> int:
    """Return the lease that a change must wait for, with the head locked; see the module.

    A change of one organization's objects concerns its tokens alone.
    """
    said = tx.reducing()
    if any(EVENTS[each.event].subject in INSTALLATION or not each.organization for each in said):
        return longest_seconds()
    return max(
        max(awaited_seconds(each.organization), shortened_from(tx, each.organization)) for each in said
    )


def shortened_from(tx: Transaction, organization: str) -> int:
    """Return the longer lease that was in force before this very change; 0 if it shortens none."""
    before = int(tx.kept.get((LEASE_BEFORE, organization), "0"))
    return before if before > policies.lease_of(organization) else 0


def _shortened(pending: QuerySet[Receipt]) -> int:
    found: int | None = pending.aggregate(most=Max("lease_before_seconds"))["most"]
    return found or 0
