"""Compiles organizations into the records that nodes hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from retinue import permission
from retinue.replica import records
from retinue.server.directory.models import Organization
from retinue.server.policies.native import policy_of

_DAY_MS = 86_400_000


def organizations(ids: Sequence[str], catalogue: Mapping[str, int]) -> dict[str, records.Record]:
    """Return the records of these organizations, with the facts of their policies."""
    return {row.id: _record(row, catalogue) for row in Organization.objects.filter(id__in=ids)}


def _record(row: Organization, catalogue: Mapping[str, int]) -> records.Organization:
    policy = policy_of(row.id)
    banned = [catalogue[name] for name in policy.forbidden_for_service_permissions if name in catalogue]
    return records.Organization(
        row.id,
        row.handle,
        row.name,
        row.state,
        policy.credentials_schemes,
        permission.mask(banned),
        policy.pat_enabled,
        policy.freshness_lease_seconds * 1000,
        max(policy.expiry_warn_days, default=0) * _DAY_MS,
    )


def handles(wanted: Sequence[str]) -> dict[str, records.Record]:
    """Return the records that find organizations by handle."""
    rows = Organization.objects.filter(handle__in=wanted).values_list("handle", "id")
    return {handle: records.OrganizationHandle(ident) for handle, ident in rows}


def page(after: str, limit: int) -> list[str]:
    """Return the next organization ids after ``after``, in byte order."""
    return list(Organization.objects.filter(id__gt=after).order_by("id").values_list("id", flat=True)[:limit])


def handle_page(after: str, limit: int) -> list[str]:
    """Return the next handles after ``after``, in byte order."""
    rows = Organization.objects.filter(handle__gt=after).order_by("handle")
    return list(rows.values_list("handle", flat=True)[:limit])
