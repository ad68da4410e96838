"""How the tokens of an organization may be presented."""

from __future__ import annotations

from retinue.server.policies.policy import Policy
from retinue.standing import INGEST_PLACES


def presentations(policy: Policy) -> frozenset[str]:
    """Return the schemes of a policy, those for a place of its ingest tokens, that of access tokens."""
    places = policy.ingest_presentation if policy.ingest_enabled else ()
    schemes = (scheme for scheme, place in INGEST_PLACES.items() if place in places)
    access = ("bearer",) if policy.credentials_exchange_seconds else ()
    return frozenset((*map(str.lower, policy.credentials_schemes), *schemes, *access))
