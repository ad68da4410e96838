"""Which policy keys are enforced. A key that is accepted has an effect.

A key that nothing enforces keeps its native default: a document that asks for another value is refused as
not available yet, and what a preset says of it waits. Who builds the enforcement of a key adds it here.
"""

from __future__ import annotations

#: What is enforced, each with a test that shows it: a whole key, or members of one (``elevated.approval``).
ENFORCED: dict[str, str] = {
    "limits.per_account.per_minute": "tests/node/test_limits.py",
    "limits.per_account.per_second": "tests/unit/test_limits.py",
    "accounts.initial_credential": "tests/api/test_first_key.py",
    "accounts.attributes": "tests/api/test_account_policy.py",
    "accounts.delete_bulk": "tests/api/test_account_policy.py",
    "accounts.id_template": "tests/api/test_naming.py",
    "accounts.list_with_users": "tests/api/test_account_policy.py",
    "accounts.max": "tests/api/test_naming.py",
    "accounts.name_pattern": "tests/api/test_naming.py",
    "accounts.slug": "tests/api/test_naming.py",
    "accounts.unique": "tests/api/test_naming.py",
    "features.service_accounts": "tests/api/test_naming.py",
    "terminology": "tests/api/test_account_policy.py",
    "accounts.required": "tests/api/test_accounts.py",
    "accounts.restore_days": "tests/api/test_accounts.py",
    "credentials.format": "tests/api/test_formats.py",
    "credentials.mask_last": "tests/api/test_formats.py",
    "credentials.max_usable": "tests/api/test_keys.py",
    "credentials.name": "tests/api/test_key_life.py",
    "credentials.prefix": "tests/api/test_presented.py",
    "credentials.restrictions": "tests/api/test_key_narrowing.py",
    "credentials.reveal": "tests/api/test_keys.py",
    "credentials.schemes": "tests/api/test_presented.py",
    "credentials.self_rotation": "tests/api/test_keys.py",
    "default_groups": "tests/api/test_system_groups.py",
    "elevated.approval": "tests/api/test_approval.py",
    "elevated.expires_days": "tests/api/test_approval.py",
    "elevated.justification": "tests/api/test_grants.py",
    "elevated.permissions": "tests/api/test_grants.py",
    "expiry.by_environment": "tests/api/test_key_life.py",
    "expiry.default_days": "tests/api/test_keys.py",
    "expiry.enforce": "tests/api/test_expiry_enforced.py",
    "expiry.max_days": "tests/api/test_keys.py",
    "expiry.required": "tests/api/test_key_life.py",
    "findings.kinds": "tests/api/test_findings.py",
    "forbidden_for_service.groups": "tests/api/test_sources.py",
    "forbidden_for_service.permissions": "tests/api/test_grants.py",
    "forbidden_for_service.roles": "tests/api/test_sources.py",
    "freshness.lease_seconds": "tests/storage/test_freshness.py",
    "grants.ceiling": "tests/api/test_grants.py",
    "grants.group_roles_from": "tests/api/test_access_policies.py",
    "grants.roles_per_account": "tests/api/test_sources.py",
    "grants.sources": "tests/api/test_sources.py",
    "idle.action": "tests/api/test_idle.py",
    "idle.days": "tests/api/test_idle.py",
    "ingest.enabled": "tests/api/test_ingest_tokens.py",
    "ingest.presentation": "tests/node/test_schemes.py",
    "network": "tests/api/test_presented.py",
    "pat.admin_visibility": "tests/api/test_personal_tokens.py",
    "pat.enabled": "tests/api/test_personal_tokens.py",
    "pat.max_days": "tests/api/test_personal_tokens.py",
    "pat.max_usable": "tests/api/test_personal_tokens.py",
    "pat.on_permission_loss": "tests/api/test_personal_tokens.py",
    "pat.on_role_change": "tests/api/test_personal_tokens.py",
    "request_log": "tests/api/test_presented.py",
    "responses.errors": "tests/api/test_presented.py",
    "responses.status": "tests/api/test_presented.py",
    "reviews": "tests/api/test_reviews.py",
    "revoke.delete_requires_revoked": "tests/api/test_key_life.py",
    "revoke.restore_hours": "tests/api/test_key_life.py",
    "roles.templates": "tests/api/test_system_groups.py",
    "rotation.every_days": "tests/api/test_key_life.py",
    "rotation.lead_days": "tests/api/test_keys.py",
    "rotation.modes": "tests/api/test_key_life.py",
    "rotation.overlap_seconds": "tests/api/test_keys.py",
    "rotation.regenerate_overlap_seconds": "tests/api/test_key_rotation.py",
    "rotation.retire_on": "tests/api/test_key_rotation.py",
    "system_groups": "tests/api/test_system_groups.py",
}


def is_enforced(name: str, member: str = "") -> bool:
    """Tell whether a value of this key, or of its member, has an effect."""
    return name in ENFORCED or (member != "" and f"{name}.{member}" in ENFORCED)
