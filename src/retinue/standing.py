"""What is said of the holder of a genuine token, and the steps that follow: life, presentation, kind, limits.

The order here is the order of the reasons; the first that fails is the one that is told.
"""

from __future__ import annotations

from typing import Protocol

from retinue import restrictions
from retinue.decision import Caller, Reason, Warning
from retinue.question import Question, UnknownOrganization, UnknownPermission
from retinue.replica.reading import Snapshot
from retinue.replica.records import Credential, Meta, Organization, Principal, Rules
from retinue.token import Kind

_PERSONAL = Kind.PERSONAL.value
_API_KEY = Kind.API_KEY.value
_SERVICE = "service_account"
_SKEW_MS = 60_000
_INGEST = Kind.INGEST.value
_ENDED_STATES = {"revoked": Reason.CREDENTIAL_REVOKED, "deleted": Reason.CREDENTIAL_REVOKED}
#: Where an ingest token stands (``ingest.presentation``) when it was presented so; elsewhere in a header.
INGEST_PLACES = {"basic_token": "basic", "path": "path"}


class Use(Protocol):
    """How a token is used. What is not stated is ``None``."""

    @property
    def scheme(self) -> str | None: ...

    @property
    def kinds(self) -> frozenset[str]: ...

    @property
    def address(self) -> str | None: ...

    @property
    def method(self) -> str | None: ...

    @property
    def path(self) -> str | None: ...


def protected_by(snapshot: Snapshot, question: Question) -> Organization | None:
    """Return the organization that the question protects, if it names one; what it names must exist."""
    for name in question.need:
        if snapshot.permission_index(name) is None:
            raise UnknownPermission(name)
    named = question.organization
    if named is None:
        return None
    organization = snapshot.organization(named) or snapshot.organization_by_handle(named)
    if organization is None:
        raise UnknownOrganization(named)
    return organization


def may_stand_so(protected: Organization | None, scheme: str) -> bool:
    """Tell whether an ingest or access token may stand so; that of any organization is a scheme here."""
    if protected is None:
        return False
    return INGEST_PLACES.get(scheme) in protected.ingest or (scheme == "bearer" and protected.exchange_ms > 0)


def ended(
    organization: Organization, principal: Principal | None, credential: Credential, now: int
) -> Reason | None:
    """The life of organization, account and credential, in this order."""
    if organization.state != "enabled":
        return Reason.ORGANIZATION_DISABLED
    if principal is None:
        if credential.principal:
            return Reason.ACCOUNT_DISABLED
    elif principal.state != "enabled":
        return Reason.ACCOUNT_DELETED if principal.state == "deleted" else Reason.ACCOUNT_DISABLED
    if 0 < credential.retires_at_ms <= now:
        return Reason.CREDENTIAL_REVOKED
    if credential.state != "active":
        return _ENDED_STATES.get(credential.state, Reason.CREDENTIAL_SUSPENDED)
    if now < credential.not_before_ms:
        return Reason.CREDENTIAL_SUSPENDED
    if credential.has_expired or 0 < credential.expires_at_ms <= now:
        return Reason.CREDENTIAL_EXPIRED
    return None


def misplaced(
    use: Use, organization: Organization, credential: Credential, access_until_ms: int, now: int
) -> Reason | None:
    """The presentation and the kind of the credential: are both accepted here?"""
    kind, scheme = credential.kind, use.scheme
    if access_until_ms:
        return _access_refused(use, organization, credential, access_until_ms, now)
    if kind == _INGEST:
        if organization.ingest and scheme is not None and not _may_stand(scheme, organization):
            return Reason.SCHEME_NOT_ACCEPTED
        narrowed = credential.restrictions
        bound = () if narrowed is None else narrowed.endpoints
        if kind not in use.kinds or not organization.ingest or not restrictions.leads_to(bound, use.path):
            return Reason.KIND_NOT_ACCEPTED
        return None
    if scheme is not None and scheme not in organization.schemes:
        return Reason.SCHEME_NOT_ACCEPTED
    if kind not in use.kinds or (kind == _PERSONAL and not organization.personal_tokens):
        return Reason.KIND_NOT_ACCEPTED
    return None


def _access_refused(
    use: Use, organization: Organization, credential: Credential, until_ms: int, now: int
) -> Reason | None:
    """An access token stands in for a key: where there are such, as a bearer token, to its end."""
    # One that was made for longer than is allowed by now has ended too; clocks may differ a little.
    if now >= until_ms or until_ms > now + organization.exchange_ms + _SKEW_MS > now + _SKEW_MS:
        return Reason.CREDENTIAL_EXPIRED
    if use.scheme not in (None, "bearer"):
        return Reason.SCHEME_NOT_ACCEPTED
    offered = organization.exchange_ms and credential.kind == _API_KEY
    return None if offered and _API_KEY in use.kinds else Reason.KIND_NOT_ACCEPTED


def _may_stand(scheme: str, organization: Organization) -> bool:
    place = INGEST_PLACES.get(scheme, "header")
    return place in organization.ingest and (place != "header" or scheme in organization.schemes)


def narrowed(
    use: Use, organization: Organization, principal: Principal | None, credential: Credential, now: int
) -> Reason | None:
    """The network of the organization, then the restrictions of the credential."""
    rules = rules_for(organization, principal)
    if rules is not None and restrictions.network_refused(rules, use.address):
        return Reason.NETWORK_NOT_ALLOWED
    if credential.restrictions is not None:
        reason = restrictions.refusal(credential.restrictions, use.address, use.method, use.path, now)
        if reason is not None:
            return reason
    if credential.kind == _INGEST and use.method not in restrictions.WRITING:
        return Reason.METHOD_NOT_ALLOWED
    return None


def rules_for(organization: Organization, principal: Principal | None) -> Rules | None:
    """Return the networks and limits that hold for an account: those of its environment, if it has any."""
    if principal is None or not organization.environments:
        return organization.rules
    return organization.environments.get(principal.environment, organization.rules)


def caller(
    meta: Meta,
    organization: Organization,
    principal: Principal | None,
    credential: Credential,
    now: int,
    access_until_ms: int = 0,
) -> Caller:
    """Return what a decision says of the holder of a genuine token."""
    expires_at_ms = credential.expires_at_ms
    if access_until_ms:
        expires_at_ms = min(expires_at_ms or access_until_ms, access_until_ms)
    if principal is None:
        kind, ident, name = "organization", organization.id, organization.name
    else:
        # One object for all: many callers are kept.
        kind = _SERVICE if principal.kind == _SERVICE else principal.kind
        ident, name = principal.id, principal.name
    dated = credential.expires_at_ms or credential.retires_at_ms or credential.rotate_by_ms
    return Caller(
        kind,
        ident,
        name,
        organization.id,
        credential.id,
        meta.revision,
        expires_at_ms,
        credential.retires_at_ms,
        credential.rotate_by_ms,
        _warnings(organization, principal, credential, now) if dated else (),
        access_until_ms,
    )


def _warnings(
    organization: Organization, principal: Principal | None, credential: Credential, now: int
) -> tuple[Warning, ...]:
    warnings = []
    warn_ms, rules = organization.warn_ms, rules_for(organization, principal)
    if rules is not None and rules.warn_ms >= 0:
        warn_ms = rules.warn_ms
    if credential.expires_at_ms and credential.expires_at_ms - now <= warn_ms:
        warnings.append(Warning.EXPIRES_SOON)
    if credential.retires_at_ms:
        warnings.append(Warning.RETIRING)
    if 0 < credential.rotate_by_ms <= now:
        warnings.append(Warning.ROTATION_DUE)
    return tuple(warnings)
