"""Takes away again what a restored database gave back. Only ever takes away."""

from __future__ import annotations

from collections.abc import Collection

from retinue.replica import records
from retinue.server.access import (
    grant_actions,
    group_actions,
    member_actions,
    policy_actions,
    queries,
    role_actions,
    selectors,
)
from retinue.server.access.compile import Masks
from retinue.server.access.covering import is_held, more_bits, more_scopes
from retinue.server.access.models import (
    AccessPolicy,
    Grant,
    Group,
    Membership,
    Role,
    RoleAssignment,
    TeamResource,
)
from retinue.server.access.paths import Part
from retinue.server.directory.queries import Principal
from retinue.server.ledger.transaction import Transaction


def keep_holders(
    tx: Transaction, principal: Principal, ours: records.Principal, theirs: records.Principal
) -> list[str]:
    """Take roles and memberships that ``theirs`` does not hold as long; return what was done.

    What is not in ``ours`` gives it nothing, and stays.
    """
    known = {*ours.holders, *(each.holder for each in ours.timed)}
    done = []
    held = RoleAssignment.objects.select_for_update(of=("self",), no_key=True).filter(subject=principal.id)
    for assignment in held.filter(role__in=known).select_related("role").order_by("id"):
        until_ms = grant_actions.ms(assignment.expires_at)
        if not is_held(assignment.role_id, until_ms, theirs.holders, theirs.timed):
            subject = grant_actions.subject_of(principal)
            grant_actions.take_role(tx, subject, assignment, principal.organization_id)
            done.append(f"role {assignment.role.handle} removed")
    member = Membership.objects.select_for_update(of=("self",), no_key=True).filter(
        principal=principal, group__in=known
    )
    for membership in member.select_related("group").order_by("id"):
        until_ms = grant_actions.ms(membership.expires_at)
        if not is_held(membership.group_id, until_ms, theirs.holders, theirs.timed):
            member_actions.remove(tx, membership.group, [principal])
            done.append(f"taken out of {membership.group.name}")
    return done


def keep_teams(tx: Transaction, key: str, kept: Collection[str]) -> list[str]:
    """Take a resource, by its key in replicas, out of all teams but these; return what was done."""
    done = []
    rows = (
        TeamResource.objects.select_for_update(of=("self",), no_key=True)
        .filter(key=key)
        .exclude(team__in=kept)
    )
    for row in rows.select_related("team").order_by("id"):
        member_actions.change_resources(tx, row.team, remove=[row.resource])
        done.append(f"taken out of {row.team.name}")
    return done


def end_holder(tx: Transaction, ident: str) -> list[str]:
    """Delete a role, group, team or access policy; return what was done. Refuses Owner and what is locked."""
    role = Role.objects.filter(id=ident, deleted_at__isnull=True).first()
    if role is not None:
        role_actions.delete(tx, role, from_holders=True)
        return [f"role {role.handle} deleted"]
    group = Group.objects.filter(id=ident, deleted_at__isnull=True).first()
    if group is not None:
        group_actions.delete(tx, group)
        return [f"{group.kind} {group.name} deleted"]
    policy = AccessPolicy.objects.filter(id=ident, deleted_at__isnull=True).first()
    if policy is not None:
        policy_actions.delete(tx, policy)
        return [f"access policy {policy.name} deleted"]
    return []


def keep_grants(tx: Transaction, principal: Principal, theirs: records.Principal) -> list[str]:
    """Delete every grant of a principal that gives more than a record of it says; return what was done."""
    masks = Masks(queries.catalogue())
    done = []
    for grant in Grant.objects.select_for_update(no_key=True).filter(subject=principal.id).order_by("id"):
        selector, until_ms = selectors.stored(grant.resource), grant_actions.ms(grant.expires_at)
        plain, bound, scoped = masks.fold([Part((grant.permission,), selector, grant.is_bound, until_ms)])
        if bound:
            scoped = (*scoped, records.Scope(bound, is_bound=True))
        if more_bits(plain, theirs.permissions) or more_scopes(scoped, theirs.scoped):
            grant_actions.delete_grant(tx, principal.organization_id, grant)
            done.append(f"grant {grant.permission} deleted")
    return done
