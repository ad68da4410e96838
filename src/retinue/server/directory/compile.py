"""Compiles the rows of the directory into what nodes know of them."""

from __future__ import annotations

from collections.abc import Mapping

from retinue import permission
from retinue.decision import Terms
from retinue.replica import records
from retinue.server.directory.models import Organization
from retinue.server.ledger.feed import Selection, narrow, select
from retinue.server.policies.policy import DAY_SECONDS, Limits, Policy
from retinue.server.policies.queries import version

_MS = 1_000
_ORGANIZATIONS = """
SELECT o.id, o.handle, o.name, o.state, p.version_id FROM directory_organization o
LEFT JOIN policies_standing p ON p.organization = o.id WHERE true
"""


def organizations(selection: Selection, indexes: Mapping[str, int]) -> dict[str, bytes]:
    """Return organization records by id. ``indexes`` is the catalogue of permissions."""
    rows = select(_ORGANIZATIONS, "o.id", selection)
    return {
        ident: records.encode(_organization(ident, handle, name, state, version(policy).policy, indexes))
        for ident, handle, name, state, policy in rows
    }


def _organization(
    ident: str, handle: str, name: str, state: str, policy: Policy, indexes: Mapping[str, int]
) -> records.Organization:
    banned = [indexes[each] for each in policy.forbidden_for_service.permissions if each in indexes]
    return records.Organization(
        id=ident,
        handle=handle,
        name=name,
        state=state,
        schemes=policy.credentials_schemes,
        forbidden_for_service=permission.mask(banned),
        personal_tokens=policy.pat_enabled,
        lease_ms=policy.freshness_lease_seconds * _MS,
        warn_ms=max(policy.expiry_warn_days, default=0) * DAY_SECONDS * _MS,
        terms=terms(policy),
        rules=_rules(policy),
        ingest=policy.ingest_presentation if policy.ingest_enabled else (),
    )


def terms(policy: Policy) -> Terms:
    """Return how the organization wants its decisions told and kept."""
    status, log = policy.responses_status, policy.request_log
    return Terms(
        status.unauthenticated,
        status.forbidden,
        status.limited,
        flat=policy.responses_errors == "flat",
        logged=log.sample_allowed if log.enabled else -1.0,
    )


def _rules(policy: Policy) -> records.Rules | None:
    """Return networks and limits; ``None`` where there are none, which costs a decision nothing."""
    network = policy.network
    rate = _rate(policy.limits_per_account)
    if not network.allow and not network.deny and rate is None:
        return None
    return records.Rules(network.allow, network.deny, rate)


def _rate(limits: Limits) -> records.Rate | None:
    rate = records.Rate(limits.per_minute or 0, limits.per_second or 0, limits.parallel or 0)
    return None if rate == records.Rate() else rate


def organization_handles(selection: Selection) -> dict[str, bytes]:
    """Return the records that find an organization by its handle, by handle."""
    rows = narrow(Organization.objects.all(), "handle", selection).values_list("handle", "id")
    return {handle: records.encode(records.OrganizationHandle(ident)) for handle, ident in rows}
