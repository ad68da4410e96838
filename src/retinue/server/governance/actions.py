"""What can be done about findings: answer for one until a date, and take that back."""

from __future__ import annotations

from datetime import datetime

from retinue.server.directory.queries import Organization
from retinue.server.errors import Refused
from retinue.server.governance import queries, rules
from retinue.server.governance.models import AcceptedFinding
from retinue.server.governance.rules import Found
from retinue.server.ids import new_id
from retinue.server.ledger.transaction import Transaction


def accept(
    tx: Transaction, organization_id: str, ident: str, *, reason: str, until: datetime
) -> tuple[Found, AcceptedFinding]:
    """Answer for a finding until a date; a second time changes reason and date."""
    rules.check_acceptance(reason, until, tx.now)
    Organization.objects.select_for_update(no_key=True).get(id=organization_id)
    found = queries.finding(organization_id, ident, tx.now)
    until = until.replace(microsecond=until.microsecond // 1000 * 1000)
    row = AcceptedFinding.objects.filter(
        organization=organization_id, kind=found.kind, subject=found.subject
    ).first()
    before = {} if row is None or row.until <= tx.now else _stated(row)
    if row is None:
        row = AcceptedFinding(
            id=new_id("exc"), organization=organization_id, kind=found.kind, subject=found.subject
        )
    row.reason, row.until = reason, until
    row.accepted_by, row.accepted_at = tx.actor.id, tx.now
    row.save()
    _say(tx, "finding.accepted", row, before, _stated(row))
    return found, row


def reopen(tx: Transaction, organization_id: str, ident: str) -> Found:
    """Take an exception back; the finding is open again. Refuses a finding that is open."""
    found = queries.finding(organization_id, ident, tx.now)
    row = (
        AcceptedFinding.objects.select_for_update(no_key=True)
        .filter(organization=organization_id, kind=found.kind, subject=found.subject, until__gt=tx.now)
        .first()
    )
    if row is None:
        raise Refused("state_conflict", f"{ident} is open")
    before = _stated(row)
    row.until = tx.now
    row.save()
    _say(tx, "finding.reopened", row, before, {"until": before["until"], "state": "open"})
    return found


def _stated(row: AcceptedFinding) -> dict[str, str]:
    return {"kind": row.kind, "subject": row.subject, "reason": row.reason, "until": row.until.isoformat()}


def _say(
    tx: Transaction, event: str, row: AcceptedFinding, before: dict[str, str], after: dict[str, str]
) -> None:
    found = Found(row.kind, row.subject, None)
    name = f"{row.kind} {row.subject}"
    tx.record(event, found.id, name=name, organization=row.organization, before=before, after=after)
