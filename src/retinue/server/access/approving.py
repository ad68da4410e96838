"""Four eyes: what is elevated may wait for a second person, who lets it hold."""

from __future__ import annotations

from retinue.server.access import selectors, subjects, touching
from retinue.server.access.grant_actions import check_alive, check_role, ms
from retinue.server.access.handing import Handing
from retinue.server.access.models import Grant, RoleAssignment
from retinue.server.access.paths import Part
from retinue.server.errors import NotFound, Refused
from retinue.server.ledger.transaction import Transaction


def approve(tx: Transaction, organization: str, found: Grant | RoleAssignment) -> Grant | RoleAssignment:
    """Let a pending grant or role hold. Refuses who asked for it, and who gets it."""
    handing = Handing.begin(tx, organization, found.justification)
    # What was read before the lock may be approved, or rejected and gone, since.
    find = find_grant if isinstance(found, Grant) else find_assignment
    found = find(organization, found.id)
    subject = subjects.named(organization, [found.subject])[found.subject]
    check_alive(subject)
    check_approver(tx, found.is_pending, found.granted_by, subject.id)
    if isinstance(found, Grant):
        part = Part(
            (found.permission,), selectors.stored(found.resource), found.is_bound, ms(found.expires_at)
        )
        parts = [part]
    else:
        parts = check_role(handing, subject, found.role, "role", found.expires_at)
    handing.terms(parts, to_service=handing.reaches_service(subject.id), field="id")
    before = {"is_pending": True, "approved_by": ""}
    found.is_pending, found.approved_by = False, tx.actor.id
    found.save()
    event = "grant.approved" if isinstance(found, Grant) else "role.approved"
    tx.record(
        event,
        found.id,
        name=subject.name,
        organization=organization,
        before=before,
        after={"is_pending": False, "approved_by": tx.actor.id, "subject": found.subject},
    )
    touching.subject(tx, organization, subject.id)
    return found


def find_grant(organization: str, ident: str) -> Grant:
    """Return a grant of an organization by id. Raises :class:`NotFound`."""
    found = Grant.objects.filter(organization_id=organization, id=ident).first()
    if found is None:
        raise NotFound("grant", ident)
    return found


def find_assignment(organization: str, ident: str) -> RoleAssignment:
    """Return an assigned role of an organization by id. Raises :class:`NotFound`."""
    rows = RoleAssignment.objects.select_related("role").filter(role__organization_id=organization)
    found = rows.filter(id=ident, role__deleted_at__isnull=True).first()
    if found is None:
        raise NotFound("assignment", ident)
    return found


def check_approver(tx: Transaction, is_pending: bool, asked_by: str, gets: str) -> None:
    """Refuse to approve what does not wait, and an approver who asked for it or gets it."""
    if not is_pending:
        raise Refused("state_conflict", "this waits for nobody")
    if tx.actor.id in (asked_by, gets):
        raise Refused("approval_required", "a second person approves: not who asked for it, nor who gets it")
