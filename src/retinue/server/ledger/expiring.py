"""Lets events go that their organization keeps no longer.

What goes is said: how many events, which were the first and the last, and a digest over all of them, so
that a copy made earlier can still be shown to be whole. Of the first event of a revision a husk stays,
without anything of the event: its mark tells this history from that of a restored backup. An event goes once
it is in the Merkle log, where its entry stays: a hash, from which nothing can be read.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from django.db.models import Exists, Max, OuterRef

from retinue.server.ledger import current
from retinue.server.ledger.models import AuditEvent, Entry, PersonalPart
from retinue.server.ledger.pruning import is_our_turn
from retinue.server.ledger.transaction import SYSTEM, transaction

EXPIRED = "audit_log.expired"
#: What a husk has no more.
_HUSK: dict[str, Any] = dict.fromkeys(
    ("organization", "type", "actor_kind", "actor", "credential", "request", "channel"), ""
) | {"subject_kind": "", "subject": "", "before": {}, "after": {}}
_TOLD = (
    "id", "type", "actor_kind", "actor", "credential", "request", "channel", "subject_kind", "subject",
    "before", "after",
)  # fmt: skip


def expire(organization_id: str, name: str, before: datetime, most: int) -> int:
    """Let at most ``most`` events of an organization go that are older than ``before``; return how many went.

    ``name`` is what the organization is called now. What was said of events that went is kept.
    """
    logged = Exists(Entry.objects.filter(event=OuterRef("id")))
    old = AuditEvent.objects.filter(logged, organization=organization_id, at__lt=before)
    old = old.exclude(type=EXPIRED)
    if not old.exists():
        return 0
    with transaction(SYSTEM, reason="the policy keeps events no longer (audit_log.retention_days)") as tx:
        if not is_our_turn():
            return 0
        rows = sorted(old.order_by("at", "revision")[:most], key=lambda row: (row.revision, row.n))
        with current.expiring():
            ids = [row.id for row in rows]
            PersonalPart.objects.filter(event_id__in=ids).delete()
            gone = Entry.objects.filter(event__in=ids)
            numbers = dict(gone.values_list("log__name").annotate(last=Max("sequence")).order_by())
            gone.delete()
            AuditEvent.objects.filter(id__in=ids, n=1).update(**_HUSK)
            AuditEvent.objects.filter(id__in=ids).exclude(n=1).delete()
        # All of them were in the log: so many numbers are missing there, and no more.
        after = {
            "events": len(rows),
            "logged": len(rows),
            # The last ones that were given in each log: they go on from there.
            "numbers": numbers,
            "first": rows[0].id,
            "last": rows[-1].id,
            "digest": digest(rows),
        }
        tx.record(
            EXPIRED,
            organization_id,
            name=name,
            organization=organization_id,
            after=after | {"before": before.isoformat()},
        )
    return len(rows)


def digest(rows: list[AuditEvent]) -> str:
    """Return SHA-256 over events in their order, each a line of JSON without personal data."""
    whole = hashlib.sha256()
    for row in rows:
        told = {name: getattr(row, name) for name in _TOLD} | {"at": row.at.isoformat()}
        whole.update(json.dumps(told, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    return whole.hexdigest()
