"""Four eyes: what is elevated may wait for a second person, who lets it hold."""

from __future__ import annotations

from retinue.server.access import selectors, subjects, touching
from retinue.server.access.grant_actions import check_alive, check_role, ms
from retinue.server.access.handing import Handing
from retinue.server.access.models import Grant, RoleAssignment
from retinue.server.access.paths import Part
from retinue.server.access.subjects import Subject
from retinue.server.errors import NotFound, Refused
from retinue.server.ledger.transaction import Transaction


def approve_grant(tx: Transaction, organization: str, ident: str) -> Grant:
    """Let a pending grant hold. Refuses who asked for it, and who gets it."""
    why = find_grant(organization, ident).justification
    handing = Handing.begin(tx, organization, why)
    # What was read before the lock may be approved, or rejected and gone, since.
    found = find_grant(organization, ident)
    subject = _asked_for(handing, found)
    selector = selectors.stored(found.resource)
    part = Part((found.permission,), selector, found.is_bound, ms(found.expires_at))
    _let_hold(handing, subject, found, [part], "grant.approved")
    return found


def approve_assignment(tx: Transaction, organization: str, ident: str) -> RoleAssignment:
    """Let a pending role hold. Refuses who asked for it, and who gets it."""
    why = find_assignment(organization, ident).justification
    handing = Handing.begin(tx, organization, why)
    found = find_assignment(organization, ident)
    subject = _asked_for(handing, found)
    parts = check_role(handing, subject, found.role, "role", found.expires_at)
    _let_hold(handing, subject, found, parts, "role.approved")
    return found


def _asked_for(handing: Handing, found: Grant | RoleAssignment) -> Subject:
    """Return whose it is to be; refuses an approver who must not be."""
    subject = subjects.named(handing.organization, [found.subject])[found.subject]
    check_alive(subject)
    check_approver(handing.tx, found.is_pending, found.granted_by, subject.id)
    return subject


def _let_hold(
    handing: Handing, subject: Subject, found: Grant | RoleAssignment, parts: list[Part], event: str
) -> None:
    tx = handing.tx
    handing.terms(parts, to_service=handing.reaches_service(subject.id), field="id")
    found.is_pending, found.approved_by = False, tx.actor.id
    found.save()
    tx.record(
        event,
        found.id,
        name=subject.name,
        organization=handing.organization,
        before={"is_pending": True, "approved_by": ""},
        after={"is_pending": False, "approved_by": tx.actor.id, "subject": found.subject},
    )
    touching.subject(tx, handing.organization, subject.id)


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
