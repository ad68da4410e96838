"""What values of a policy mean in practice, in words for people. Pure functions."""

from __future__ import annotations

from retinue.server.policies.policy import Policy

#: A node is answered at the latest after an eighth of the lease, and holds what it got until it ends.
_SURE_SHARE = 0.75
_CLOCK_SHARE = 1.05

#: Said where a personal access token is issued (``pat.production_warning``).
_PERSONAL = (
    "A personal access token acts as its user and ends with the user's access. "
    "What runs without you needs a service account."
)
_GOES_ON = (
    "freshness.lease_seconds %(seconds)s: nodes go on deciding without the control plane for at least "
    "%(sure)s s; then they refuse (replica_stale)"
)
_WAITS = (
    "freshness.lease_seconds %(seconds)s: a revoke waits at most %(most)s s for a node that cannot be reached"
)
_FOR_EVER = "expiry.required false: credentials may live for ever; findings name those that do"
_DELETED = "audit_log.retention_days %(days)s: older events are deleted for good; export them before"
#: Every sentence of this module, for who translates them; ``%(…)s`` is where a value stands.
SENTENCES = (_PERSONAL, _GOES_ON, _WAITS, _FOR_EVER, _DELETED)


def personal_token_warning(policy: Policy) -> str | None:
    """Return what is said to a user who issues a personal access token; ``None`` where nothing is."""
    return _PERSONAL if policy.pat_production_warning else None


def consequences(policy: Policy) -> list[str]:
    """Return what the values in force mean."""
    return [*lease(policy.freshness_lease_seconds), *_expiry(policy), *_retention(policy)]


def lease(seconds: int) -> list[str]:
    """Return what a lease of so many seconds means: it decides two things at once."""
    return [
        _GOES_ON % {"seconds": seconds, "sure": f"{seconds * _SURE_SHARE:g}"},
        _WAITS % {"seconds": seconds, "most": f"{seconds * _CLOCK_SHARE:g}"},
    ]


def _expiry(policy: Policy) -> list[str]:
    if policy.expiry_required or policy.expiry_max_days is not None:
        return []
    return [_FOR_EVER]


def _retention(policy: Policy) -> list[str]:
    days = policy.audit_log.retention_days
    if days is None:
        return []
    return [_DELETED % {"days": days}]
