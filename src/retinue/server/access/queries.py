"""Reads of access: the catalogue, and what principals effectively hold, with where it comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from retinue.server.access import rules
from retinue.server.access.models import Grant, Permission, RoleAssignment
from retinue.server.access.roles import ROLES
from retinue.server.directory.queries import Principal
from retinue.server.errors import NotFound
from retinue.server.policies.native import policy_of

__all__ = ["Grant", "Source", "catalogue", "effective", "grant", "grants", "roles_of", "sources"]


@dataclass(frozen=True, slots=True)
class Source:
    """One way in which a principal holds a permission."""

    kind: str
    id: str
    name: str
    granted_by: str
    granted_at: datetime | None
    justification: str


def catalogue() -> dict[str, int]:
    """Return every permission that is declared now, with its index."""
    return dict(Permission.objects.filter(is_withdrawn=False).values_list("name", "index"))


def roles_of(principal_ids: Iterable[str]) -> dict[str, list[str]]:
    """Return the handles of the roles that each principal holds, sorted."""
    found: dict[str, list[str]] = {ident: [] for ident in principal_ids}
    rows = RoleAssignment.objects.filter(principal_id__in=list(found)).values_list("principal_id", "role")
    for principal_id, role in rows.order_by("role"):
        found[principal_id].append(role)
    return found


def effective(principal: Principal) -> frozenset[str]:
    """Return the permissions that a principal effectively holds, now."""
    return rules.effective(
        principal.kind,
        patterns=Grant.objects.filter(principal=principal).values_list("permission", flat=True),
        roles=RoleAssignment.objects.filter(principal=principal).values_list("role", flat=True),
        operator=principal.is_operator,
        catalogue=catalogue(),
        policy=policy_of(principal.organization_id),
    )


def sources(principal: Principal) -> dict[str, list[Source]]:
    """Return each effective permission with all the ways in which the principal holds it."""
    names = sorted(effective(principal))
    found: dict[str, list[Source]] = {name: [] for name in names}
    for grant in Grant.objects.filter(principal=principal).order_by("permission"):
        for name in rules.granted_names([grant.permission], names):
            found[name].append(
                Source(
                    "direct",
                    grant.id,
                    grant.permission,
                    grant.granted_by,
                    grant.granted_at,
                    grant.justification,
                )
            )
    for held in RoleAssignment.objects.filter(principal=principal).order_by("role"):
        label = ROLES[held.role].name if held.role in ROLES else held.role
        for name in rules.role_names([held.role], names):
            found[name].append(
                Source("role", held.role, label, held.granted_by, held.granted_at, held.justification)
            )
    for name in names:
        if not found[name]:
            found[name].append(Source("operator", "operator", "Operator of the installation", "", None, ""))
    return found


def grants(principal: Principal) -> QuerySet[Grant]:
    """Return the direct grants of a principal, oldest first."""
    return Grant.objects.filter(principal=principal).order_by("granted_at", "id")


def grant(principal: Principal, grant_id: str) -> Grant:
    """Return one direct grant of a principal. Raises :class:`NotFound`."""
    found = Grant.objects.filter(principal=principal, id=grant_id).first()
    if found is None:
        raise NotFound("grant", grant_id)
    return found
