"""Compiles principals, roles and the catalogue into the records that nodes hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from retinue import permission
from retinue.replica import records
from retinue.server.access import queries, rules
from retinue.server.access.catalogue import INSTALLATION
from retinue.server.access.models import Grant, Permission
from retinue.server.access.roles import ROLES
from retinue.server.directory.queries import Principal, principals


def compiled_principals(ids: Sequence[str], catalogue: Mapping[str, int]) -> dict[str, records.Record]:
    """Return the records of these users and service accounts, in three queries."""
    rows = principals(ids)
    roles = queries.roles_of(rows)
    patterns: dict[str, list[str]] = {ident: [] for ident in rows}
    for ident, pattern in Grant.objects.filter(principal_id__in=list(rows)).values_list(
        "principal_id", "permission"
    ):
        patterns[ident].append(pattern)
    return {ident: _principal(row, patterns[ident], roles[ident], catalogue) for ident, row in rows.items()}


def _principal(
    row: Principal, patterns: Sequence[str], roles: Sequence[str], catalogue: Mapping[str, int]
) -> records.Principal:
    own = set(rules.granted_names(patterns, catalogue)) if patterns else set()
    if row.is_operator:
        own |= INSTALLATION & set(catalogue)
    return records.Principal(
        row.id,
        row.kind,
        row.organization_id,
        row.handle,
        row.name,
        row.state,
        permission.mask(catalogue[name] for name in own),
        tuple(ROLES[role].holder_id for role in roles if role in ROLES),
    )


def holders(ids: Sequence[str], catalogue: Mapping[str, int]) -> dict[str, records.Record]:
    """Return the records of these roles."""
    wanted = set(ids)
    return {
        role.holder_id: records.Holder(
            role.holder_id,
            permission.mask(catalogue[name] for name in rules.role_names([role.handle], catalogue)),
        )
        for role in ROLES.values()
        if role.holder_id in wanted
    }


def permissions(names: Sequence[str], catalogue: Mapping[str, int]) -> dict[str, records.Record]:
    """Return the records of these declared permissions."""
    return {name: records.Permission(name, catalogue[name]) for name in names if name in catalogue}


def principal_page(after: str, limit: int) -> list[str]:
    """Return the next principal ids after ``after``, in byte order."""
    return list(Principal.objects.filter(id__gt=after).order_by("id").values_list("id", flat=True)[:limit])


def holder_page(after: str, limit: int) -> list[str]:
    """Return the next ids of roles after ``after``, in byte order."""
    return sorted(role.holder_id for role in ROLES.values() if role.holder_id > after)[:limit]


def permission_page(after: str, limit: int) -> list[str]:
    """Return the next names of declared permissions after ``after``, in byte order."""
    rows = Permission.objects.filter(is_withdrawn=False, name__gt=after).order_by("name")
    return list(rows.values_list("name", flat=True)[:limit])
