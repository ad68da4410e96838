"""Rows of receipts, past the ORM's objects: each change that takes access away waits for these statements."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import BooleanField, F
from django.db.models.expressions import RawSQL

from retinue.server.ledger.transaction import Transaction
from retinue.server.nodes.models import Lease, Receipt
from retinue.server.nodes.settling import delaying
from retinue.server.prepared import Prepared

_OPEN = """
INSERT INTO nodes_receipt (id, epoch, revision, organization, change, subject, actor, state, committed_at,
  bound_seconds, lease_seconds, lease_before_seconds, nodes)
VALUES (%s, %s, %s, %s, %s, %s, %s, 'pending', %s, %s, %s, %s, '[]')
"""
_COMPLETE = "UPDATE nodes_receipt SET state = 'complete', completed_at = %s, nodes = %s WHERE id = %s"
_BY_ID = Prepared(lambda ident: Receipt.objects.filter(id=ident))
_LOCKED = Prepared(lambda ident: Receipt.objects.select_for_update(no_key=True).filter(id=ident))
#: The state is no parameter: SQLite takes the index of pending receipts only for what it can read.
PENDING = RawSQL("state = 'pending'", (), output_field=BooleanField())
#: Under which a transaction keeps the id of the receipt that it has opened.
_OPENED = ("receipt", "")


def add(tx: Transaction, receipt: Receipt) -> None:
    """Store the receipt that a transaction opens."""
    at = connection.ops.adapt_datetimefield_value(receipt.committed_at)
    place = (receipt.id, receipt.epoch, receipt.revision, receipt.organization)
    said = (receipt.change, receipt.subject, receipt.actor, at)
    bound = (receipt.bound_seconds, receipt.lease_seconds, receipt.lease_before_seconds)
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, [*place, *said, *bound])
    tx.kept[_OPENED] = receipt.id


def opened_by(tx: Transaction) -> Receipt | None:
    """Return the receipt that a committed transaction has opened; ``None`` if it took no access away."""
    ident = tx.kept.get(_OPENED)
    return None if ident is None else _BY_ID.first(ident)


def of_object(ident: str, organization: str) -> Receipt | None:
    """Return the latest receipt about an object of an organization, or about another organization.

    For a call that may end it, and finds it already ended.
    """
    found = Receipt.objects.filter(subject=ident, organization__in=[organization, ident])
    return found.order_by("-revision").first()


def pending_of(organization: str, ident: str | None = None) -> Receipt | None:
    """Return an organization's newest receipt that is not complete: once it is, all before it hold too.

    Or one of another organization, ``ident``, which an operator has ended.
    """
    rows = Receipt.objects.filter(PENDING, organization__in={organization, ident or organization})
    return rows.order_by("-revision").first()


def of_revision(revision: int) -> Receipt | None:
    """Return the receipt of a revision; ``None`` if it took no access away."""
    return Receipt.objects.filter(revision=revision).first()


def locked(ident: str) -> Receipt:
    """Return a receipt, which nobody else completes before the commit. Raises ``LookupError``."""
    found = _LOCKED.first(ident)
    if found is None:
        raise LookupError(ident)
    return found


def complete(tx: Transaction, receipt: Receipt, nodes: list[dict[str, Any]]) -> None:
    """Store that a change holds everywhere, and which nodes have delayed it."""
    receipt.state, receipt.completed_at, receipt.nodes = "complete", tx.now, nodes
    at = connection.ops.adapt_datetimefield_value(tx.now)
    with connection.cursor() as cursor:
        cursor.execute(_COMPLETE, [at, connection.ops.adapt_json_value(nodes, None), receipt.id])
    late = delaying(nodes)
    if late:
        Lease.objects.filter(incarnation__in=late).update(waits=F("waits") + 1, waited_at=tx.now)
