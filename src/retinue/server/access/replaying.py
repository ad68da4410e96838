"""Takes away again what a restored database gave back. Only ever takes away."""

from __future__ import annotations

from retinue.replica import records
from retinue.server.access import grant_actions, queries, selectors
from retinue.server.access.compile import Masks
from retinue.server.access.covering import is_held, more_bits, more_scopes
from retinue.server.access.models import Grant, RoleAssignment
from retinue.server.access.paths import Part
from retinue.server.directory.queries import Principal
from retinue.server.ledger.transaction import Transaction


def keep_roles(tx: Transaction, principal: Principal, theirs: records.Principal) -> list[str]:
    """Take every role from a principal that a record of it does not hold as long; return what was done."""
    done = []
    held = RoleAssignment.objects.select_for_update(of=("self",)).filter(subject=principal.id)
    for assignment in held.select_related("role").order_by("id"):
        until_ms = grant_actions.ms(assignment.expires_at)
        if not is_held(assignment.role_id, until_ms, theirs.holders, theirs.timed):
            subject = grant_actions.subject_of(principal)
            grant_actions.take_role(tx, subject, assignment, principal.organization_id)
            done.append(f"role {assignment.role.handle} removed")
    return done


def keep_grants(tx: Transaction, principal: Principal, theirs: records.Principal) -> list[str]:
    """Delete every grant of a principal that gives more than a record of it says; return what was done."""
    masks = Masks(queries.catalogue())
    done = []
    for grant in Grant.objects.select_for_update().filter(subject=principal.id).order_by("id"):
        selector, until_ms = selectors.stored(grant.resource), grant_actions.ms(grant.expires_at)
        plain, bound, scoped = masks.fold([Part((grant.permission,), selector, grant.is_bound, until_ms)])
        if bound:
            scoped = (*scoped, records.Scope(bound, is_bound=True))
        if more_bits(plain, theirs.permissions) or more_scopes(scoped, theirs.scoped):
            grant_actions.delete_grant(tx, principal.organization_id, grant)
            done.append(f"grant {grant.permission} deleted")
    return done
