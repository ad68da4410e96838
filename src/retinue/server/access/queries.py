"""Reads of access: the catalogue, and what principals effectively hold, with where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import QuerySet

from retinue.server.access import rules
from retinue.server.access.catalogue import expand
from retinue.server.access.models import Grant, Permission, RoleAssignment
from retinue.server.access.roles import ROLES
from retinue.server.directory.queries import Principal
from retinue.server.errors import NotFound
from retinue.server.policies.policy import policy_of

__all__ = [
    "Grant",
    "Source",
    "catalogue",
    "effective",
    "grant",
    "grants",
    "held",
    "holdings",
    "roles_of",
    "sources",
]

_HELD = """
SELECT principal_id, permission, true FROM access_grant WHERE principal_id IN ({ids})
UNION ALL SELECT principal_id, role, false FROM access_roleassignment WHERE principal_id IN ({ids})
"""


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
    return holdings([principal])[principal.id].names


def holdings(principals: Sequence[Principal]) -> dict[str, rules.Held]:
    """Return what each principal effectively holds, in two queries."""
    names = catalogue()
    grants, roles = held([principal.id for principal in principals])
    policies = {ident: policy_of(ident) for ident in {each.organization_id for each in principals}}
    return {
        principal.id: rules.Held(
            rules.effective(
                principal.kind,
                patterns=grants.get(principal.id, ()),
                roles=roles.get(principal.id, ()),
                operator=principal.is_operator,
                catalogue=names,
                policy=policies[principal.organization_id],
            ),
            rules.held_patterns(grants.get(principal.id, ()), roles.get(principal.id, ())),
        )
        for principal in principals
    }


def held(ids: Sequence[str]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return the patterns granted to each principal and the roles that it holds, in one query.

    Each call of the API and each change asks this, so it is not put together by the ORM.
    """
    grants: dict[str, list[str]] = {}
    roles: dict[str, list[str]] = {}
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(_HELD.format(ids=", ".join(["%s"] * len(ids))), [*ids, *ids])
            for ident, text, is_grant in cursor.fetchall():
                (grants if is_grant else roles).setdefault(ident, []).append(text)
    return grants, roles


def sources(principal: Principal) -> dict[str, list[Source]]:
    """Return each effective permission with all the ways in which the principal holds it."""
    names = sorted(effective(principal))
    found: dict[str, list[Source]] = {name: [] for name in names}
    for grant in Grant.objects.filter(principal=principal).order_by("permission"):
        for name in expand([grant.permission], found):
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
    for assignment in RoleAssignment.objects.filter(principal=principal).order_by("role"):
        label = ROLES[assignment.role].name if assignment.role in ROLES else assignment.role
        for name in rules.role_names([assignment.role], found):
            found[name].append(
                Source(
                    "role",
                    assignment.role,
                    label,
                    assignment.granted_by,
                    assignment.granted_at,
                    assignment.justification,
                )
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
