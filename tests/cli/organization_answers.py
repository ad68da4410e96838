"""What the tests' own control plane answers about organizations, policies and invited people."""

from __future__ import annotations

from typing import Any

from tests.cli.answers import ADMIN, ETL_ID, ETL_REF, NOW, USER

IMPACT = {
    "user": USER,
    "tokens_usable": 2,
    "tokens_used_last_30_days": 1,
    "owned": [{"account": ETL_REF, "state": "enabled", "other_owners": []}],
    "ownerless_without": 1,
}
INVITED = {
    "user": {**USER, "status": "invited", "can_sign_in": False},
    "token": "rtninv_" + "i" * 62,
    "expires_at": "2026-03-08T12:00:00.000Z",
    "page": "/invitation/",
}
ORGANIZATION = {
    "id": "org_" + "O" * 16,
    "handle": "acme",
    "name": "Acme",
    "state": "enabled",
    "installation": False,
    "preset": "wavefront",
    "policy_version": 1,
    "created_at": NOW,
}
FOUNDED = {
    "organization": ORGANIZATION,
    "administrator": INVITED["user"],
    "service_account": None,
    "credential_id": "inv_InviteInvite",
    "token": INVITED["token"],
    "expires_at": INVITED["expires_at"],
    "page": "/invitation/",
}
POLICY = {
    "organization": "org_" + "O" * 16,
    "version": 2,
    "preset": "native",
    "overrides": {"credentials.max_usable": 1},
    "environments": {},
    "in_force": {"credentials.max_usable": 1},
    "waiting": [],
    "consequences": ["freshness.lease_seconds 10: a revoke waits at most 10.5 s"],
    "changed_at": NOW,
    "changed_by": ADMIN["id"],
}
BROKEN = {
    "key": "credentials.max_usable",
    "kind": "service_account",
    "id": ETL_ID,
    "name": "etl",
    "effect": "finding",
    "why": "2 usable keys, 1 allowed: no further one can be issued",
    "last_used_at": None,
    "use_count": 0,
}
CHECK: dict[str, Any] = {
    "version": 1,
    "changed": [{"key": "credentials.max_usable", "before": 10, "after": 1}],
    "broken": [BROKEN],
    "broken_total": 1,
    "consequences": POLICY["consequences"],
}
POLICY_KEY = {
    "name": "credentials.max_usable",
    "allowed": "a whole number from 1 to 1000000, or null",
    "default": 10,
    "meaning": "Usable keys that a service account may have.",
    "enforced": True,
    "by_environment": False,
}
PRESET = {"name": "wavefront", "values": {"credentials.max_usable": 20}, "waiting": []}
VERSION = {
    "id": "pol_" + "P" * 16,
    "version": 2,
    "preset": "native",
    "overrides": {"credentials.max_usable": 1},
    "environments": {},
    "changed": ["credentials.max_usable"],
    "reason": "fewer keys",
    "created_at": NOW,
    "created_by": ADMIN["id"],
}
DISABLING = {
    "account": ETL_REF,
    "state": "enabled",
    "confirm": "dialog",
    "phrase": None,
    "uses_24h": 12304,
    "last_used_at": "2026-01-31T12:00:00.000Z",
    "keys_usable": 2,
}
PRESENTATION = {
    "terminology": {
        "pack": "wavefront",
        "words": {
            "service_account": {"one": "service account", "many": "service accounts"},
            "disable": {"one": "deactivate", "many": "deactivated"},
        },
    },
    "accounts": {"disable_confirm": "dialog", "list_with_users": "separate"},
    "keys": {"lifetimes": {"choices": [30, 90, 365], "default": 90, "most": 365}},
    "personal_tokens": {"enabled": True, "warning": None},
    "warn_days": [30, 14, 7, 1],
    "step_up_minutes": 15,
}
