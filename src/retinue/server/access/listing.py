"""Lists of what access is made of, each bound to an organization; the caller orders and pages them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Count, Q, QuerySet

from retinue.server.access import loading, subjects
from retinue.server.access.models import (
    AccessPolicy,
    Grant,
    Group,
    Membership,
    Permission,
    Role,
    RoleAssignment,
)
from retinue.server.directory.queries import Principal
from retinue.server.directory.rules import fold


def role_rows(
    organization_id: str, *, handle: str | None = None, search: str | None = None
) -> QuerySet[Role]:
    """Return the roles of an organization."""
    rows = Role.objects.filter(organization_id=organization_id, deleted_at__isnull=True)
    if handle is not None:
        rows = rows.filter(handle=fold(handle))
    if search:
        rows = rows.filter(Q(handle__icontains=search) | Q(name__icontains=search))
    return rows


def group_rows(
    organization_id: str, kind: str, *, name: str | None = None, search: str | None = None
) -> QuerySet[Group]:
    """Return the groups or teams of an organization."""
    rows = Group.objects.filter(organization_id=organization_id, kind=kind, deleted_at__isnull=True)
    if name is not None:
        rows = rows.filter(name_folded=fold(name))
    return rows.filter(name__icontains=search) if search else rows


def policy_rows(
    organization_id: str, *, name: str | None = None, search: str | None = None
) -> QuerySet[AccessPolicy]:
    """Return the access policies of an organization."""
    rows = AccessPolicy.objects.filter(organization_id=organization_id, deleted_at__isnull=True)
    if name is not None:
        rows = rows.filter(name_folded=fold(name))
    return rows.filter(name__icontains=search) if search else rows


def grant_rows(
    organization_id: str,
    *,
    subject: str | None = None,
    permission: str | None = None,
    pending: bool | None = None,
) -> QuerySet[Grant]:
    """Return the grants of an organization."""
    rows = Grant.objects.filter(organization_id=organization_id)
    if subject is not None:
        rows = rows.filter(subject=subject)
    if permission is not None:
        rows = rows.filter(permission=permission)
    return rows if pending is None else rows.filter(is_pending=pending)


def assignment_rows(
    organization_id: str,
    *,
    subject: str | None = None,
    role: str | None = None,
    pending: bool | None = None,
) -> QuerySet[RoleAssignment]:
    """Return the assigned roles of an organization, with their roles."""
    rows = RoleAssignment.objects.select_related("role").filter(
        role__organization_id=organization_id, role__deleted_at__isnull=True
    )
    if subject is not None:
        rows = rows.filter(subject=subject)
    if role is not None:
        rows = rows.filter(role__handle=fold(role))
    return rows if pending is None else rows.filter(is_pending=pending)


def permission_rows(*, search: str | None = None, management: bool | None = None) -> QuerySet[Permission]:
    """Return the permissions that are declared."""
    rows = Permission.objects.filter(is_withdrawn=False)
    if search:
        rows = rows.filter(Q(name__icontains=search) | Q(label__icontains=search))
    return rows if management is None else rows.filter(is_management=management)


def handed_to(principal: str) -> Iterator[QuerySet[Any, Any]]:
    """Yield the ids of the roles, grants and memberships of a principal itself, each as rows of one."""
    yield RoleAssignment.objects.filter(subject=principal).order_by().values_list("id")
    yield Grant.objects.filter(subject=principal).order_by().values_list("id")
    yield Membership.objects.filter(principal=principal).order_by().values_list("id")


def members_of(group: Group) -> QuerySet[Principal]:
    """Return the principals that belong to a group or team, by its rule or by hand."""
    rows = Principal.objects.filter(organization_id=group.organization_id).exclude(state="deleted")
    if not group.rule:
        return rows.filter(memberships__group=group)
    kinds = subjects.rule_of_group(group).kinds
    if group.rule != "condition":
        return rows.filter(kind__in=kinds)
    rule = subjects.rule_of_group(group)
    ids = [who.id for who in loading.subjects_of(group.organization_id) if rule.takes_in(who)]
    return rows.filter(id__in=ids)


def counts(groups: Iterable[Group]) -> dict[str, tuple[int, int]]:
    """Return how many members and resources each group or team has."""
    rows = list(groups)
    by_hand = dict(
        Membership.objects.filter(group__in=rows)
        .exclude(principal__state="deleted")
        .values_list("group")
        .annotate(count=Count("id"))
    )
    teams = [row.id for row in rows if row.kind == Group.TEAM]
    resources = dict(Group.objects.filter(id__in=teams).values_list("id").annotate(Count("resources")))
    return {
        row.id: (members_of(row).count() if row.rule else by_hand.get(row.id, 0), resources.get(row.id, 0))
        for row in rows
    }


def holder_counts(role_ids: list[str]) -> dict[str, int]:
    """Return how many subjects hold each role themselves."""
    rows = RoleAssignment.objects.filter(role__in=role_ids).values_list("role").annotate(Count("id"))
    return dict(rows)


def matched_by(row: AccessPolicy) -> tuple[list[str], list[str]]:
    """Return the ids of the principals, and of the groups and teams, that a policy takes in."""
    rule = subjects.rule_of_policy(row)
    who = [each.id for each in loading.subjects_of(row.organization_id) if rule.takes_in(each)]
    groups = [each.id for each in loading.groups_of(row.organization_id) if rule.takes_in(each.subject)]
    return who, groups


__all__ = [
    "assignment_rows",
    "counts",
    "grant_rows",
    "group_rows",
    "handed_to",
    "holder_counts",
    "matched_by",
    "members_of",
    "permission_rows",
    "policy_rows",
    "role_rows",
]
