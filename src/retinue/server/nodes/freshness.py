"""Which lease counts: for a poll, for a change of one organization, and for one of the whole installation.

How long a node decides about an organization without contact is that organization's to say. Until a shorter
lease holds everywhere, by its own receipt, some node may still decide under the longer one, and every change
of the organization waits for that. A longer lease may be in use from its commit on.
"""

from __future__ import annotations

from django.db import connection

from retinue.server.ledger.catalogue import EVENTS
from retinue.server.ledger.transaction import Transaction
from retinue.server.policies import queries as policies
from retinue.server.policies.actions import LEASE_BEFORE

#: What these belong to is no organization's: a change of theirs may touch decisions about any.
INSTALLATION = frozenset({"permission", "node", "node_credential", "identity_key", "setup_code"})
# The state is no parameter: SQLite takes the index of pending receipts only for a condition that it can read.
_SHORTENED = "SELECT MAX(lease_before_seconds) FROM nodes_receipt WHERE state = 'pending'"
_SHORTENED_IN = f"{_SHORTENED} AND organization = %s"


def shortest_seconds() -> int:
    """Return the shortest lease in force: a poll is held for an eighth of it at most."""
    return policies.lease_range()[0]


def longest_seconds() -> int:
    """Return the longest lease that may be in use on some node, for some organization."""
    return max(policies.lease_range()[1], _shortened(None))


def awaited_seconds(organization: str) -> int:
    """Return the longest lease that may be in use on some node for one organization."""
    return max(policies.lease_of(organization), _shortened(organization))


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
    return before if before and before > policies.lease_of(organization) else 0


def _shortened(organization: str | None) -> int:
    """Return the longest lease that was shortened by a receipt that is pending; 0 if there is none."""
    with connection.cursor() as cursor:
        if organization is None:
            cursor.execute(_SHORTENED)
        else:
            cursor.execute(_SHORTENED_IN, [organization])
        (found,) = cursor.fetchone()
    return found or 0
