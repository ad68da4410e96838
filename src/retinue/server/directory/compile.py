"""Compiles the rows of the directory into what nodes know of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.db import connection
from msgspec import structs

from retinue import permission
from retinue.decision import Terms
from retinue.replica import records
from retinue.replica.records import ANY
from retinue.server.directory.models import Organization
from retinue.server.ledger.feed import Selection, narrow, pick, select
from retinue.server.policies.policy import DAY_SECONDS, Limits, Policy
from retinue.server.policies.presentations import presentations
from retinue.server.policies.queries import learn, version
from retinue.server.policies.rules import Compiled

_MS = 1_000
_POLICIES = """
SELECT DISTINCT p.version_id FROM directory_organization o
LEFT JOIN policies_standing p ON p.organization = o.id
"""
_ORGANIZATIONS = """
SELECT o.id, o.handle, o.name, o.state, p.version_id FROM directory_organization o
LEFT JOIN policies_standing p ON p.organization = o.id WHERE true
"""


#: Tells what every user and every service account of each organization holds by a rule.
ByKind = Callable[[list[str]], Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]]


def organizations(selection: Selection, indexes: Mapping[str, int], by_kind: ByKind) -> dict[str, bytes]:
    """Return organization records by id. ``indexes`` is the catalogue of permissions."""
    rows = select(_ORGANIZATIONS, "o.id", selection)
    learn({ident: policy for ident, *_, policy in rows})
    held = by_kind([row[0] for row in rows])
    return {
        ident: records.encode(
            _organization(ident, handle, name, state, version(policy), indexes, held.get(ident, ((), ())))
        )
        for ident, handle, name, state, policy in rows
    }


def _organization(
    ident: str,
    handle: str,
    name: str,
    state: str,
    compiled: Compiled,
    indexes: Mapping[str, int],
    held: tuple[tuple[str, ...], tuple[str, ...]],
) -> records.Organization:
    policy = compiled.policy
    banned = [indexes[each] for each in policy.forbidden_for_service.permissions if each in indexes]
    return records.Organization(
        id=ident,
        handle=handle,
        name=name,
        state=state,
        schemes=tuple(each.lower() for each in policy.credentials_schemes),
        forbidden_for_service=permission.mask(banned),
        personal_tokens=policy.pat_enabled,
        lease_ms=policy.freshness_lease_seconds * _MS,
        warn_ms=_warn_ms(policy),
        terms=terms(policy),
        rules=_rules(policy),
        environments=_environments(compiled),
        ingest=policy.ingest_presentation if policy.ingest_enabled else (),
        user_holders=held[0],
        service_holders=held[1],
        exchange_ms=(policy.credentials_exchange_seconds or 0) * _MS,
        pat_follows_permission=policy.pat_on_permission_loss == "suspend",
    )


def terms(policy: Policy) -> Terms:
    """Return how the organization wants its decisions told and kept."""
    status = policy.responses_status
    return Terms(
        status.unauthenticated,
        status.forbidden,
        status.limited,
        flat=policy.responses_errors == "flat",
        challenges=_challenges(policy),
    )


def _challenges(policy: Policy) -> tuple[str, ...]:
    """Return the authentication schemes of HTTP behind our schemes; a header of one's own has none."""
    named = {"bearer": "Bearer", "basic_pair": "Basic", "basic_token": "Basic"}
    access = ("bearer",) if policy.credentials_exchange_seconds else ()
    return tuple(dict.fromkeys(named.get(each, "Apikey") for each in (*policy.credentials_schemes, *access)))


def _rules(policy: Policy) -> records.Rules | None:
    """Return networks and limits; ``None`` where there are none, which costs a decision nothing."""
    network = policy.network
    rate = _rate(policy.limits_per_account)
    if not network.allow and not network.deny and rate is None:
        return None
    return records.Rules(network.allow, network.deny, rate)


def _environments(compiled: Compiled) -> dict[str, records.Rules]:
    """Return the rules of the environments that have rules of their own."""
    usual, usual_ms = _rules(compiled.policy), _warn_ms(compiled.policy)
    made = {}
    for label, policy in compiled.environments.items():
        rules, warn_ms = _rules(policy), _warn_ms(policy)
        if warn_ms != usual_ms:
            made[label] = structs.replace(rules or records.Rules(), warn_ms=warn_ms)
        elif rules != usual:
            made[label] = rules or records.Rules()
    return made


def _warn_ms(policy: Policy) -> int:
    return max(policy.expiry_warn_days, default=0) * DAY_SECONDS * _MS


def _rate(limits: Limits) -> records.Rate | None:
    rate = records.Rate(limits.per_minute or 0, limits.per_second or 0, limits.parallel or 0)
    return None if rate == records.Rate() else rate


def schemes(selection: Selection) -> dict[str, bytes]:
    """Return the record of how tokens may be presented to some organization."""
    if not pick({ANY: None}, selection):
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_POLICIES)
        policies = [version(row[0]).policy for row in cursor.fetchall()]
    names = frozenset[str]().union(*(presentations(policy) for policy in policies))
    return {ANY: records.encode(records.Schemes(tuple(sorted(names))))}


def organization_handles(selection: Selection) -> dict[str, bytes]:
    """Return the records that find an organization by its handle, by handle."""
    rows = narrow(Organization.objects.all(), "handle", selection).values_list("handle", "id")
    return {handle: records.encode(records.OrganizationHandle(ident)) for handle, ident in rows}
