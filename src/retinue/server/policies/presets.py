"""The six presets: what each says other than the native one, as a document would say it."""

from __future__ import annotations

from typing import Any

_MANAGES_ALL = ["policy:update", "organization:update", "organization:delete"]
_EVERYTHING = ["*:*"]
_EDITS = ["*:read", "*:create", "*:update"]
_READS = ["*:read"]
#: By name: who administers by name could not hand out a pattern.
_TEAMS = [f"{noun}:{verb}" for noun in ("team", "group") for verb in ("create", "read", "update", "delete")]

_NO_END: dict[str, Any] = {
    "expiry.required": False,
    "expiry.default_days": "never",
    "expiry.max_days": None,
    "expiry.choices": ["never"],
    "expiry.by_environment": {},
}
_NO_COPY: dict[str, Any] = {"accounts.copy_permissions": {"from": [], "modes": []}}
_NOTHING_FORBIDDEN: dict[str, Any] = {"forbidden_for_service": {"roles": [], "groups": [], "permissions": []}}
_FINAL_REVOKE: dict[str, Any] = {"revoke.restore_hours": 0, "revoke.delete_requires_revoked": False}
_REPORT: dict[str, Any] = {"reviews": {"no_answer": "report"}}
_ONE_ROLE: dict[str, Any] = {"grants.roles_per_account": {"min": 1, "max": 1}}
_LONG_PATS: dict[str, Any] = {"pat.max_usable": None, "pat.max_days": None}


def _role(name: str, *permissions: str, like: str = "") -> dict[str, Any]:
    handle = name.lower().replace(" ", "-")
    return {"handle": handle, "name": name, "like": like, "permissions": list(permissions)}


def _group(name: str, members: str, *locked: str, kind: str = "group") -> dict[str, Any]:
    return {"name": name, "kind": kind, "members": members, "locked": list(locked)}


_WHALY: dict[str, Any] = {
    "terminology": "whaly",
    "accounts.id_template": "{name}",
    "accounts.unique": "none",
    "accounts.required": ["name", "role"],
    "accounts.initial_credential": "auto",
    "accounts.restore_days": 0,
    "grants.sources": ["role", "direct"],
    "elevated": {"justification": "optional"},
    "system_groups": [
        _group("All Users", "users", "membership", "name", "deletion"),
        _group("Admins", "chosen", "name", "deletion"),
    ],
    "roles.templates": [
        _role("Admin Builder", *_MANAGES_ALL, like="administrator"),
        _role("Builder", *_EVERYTHING),
        _role("Editor", *_EDITS),
        _role("Viewer", *_READS),
        _role("Report Viewer", "report:*"),
    ],
    "credentials.format": "sk_hex",
    "credentials.mask_last": 5,
    "credentials.name": {"required": False, "unique": "none"},
    "credentials.max_usable": None,
    "credentials.self_rotation": False,
    "rotation.modes": ["rotate"],
    "pat.enabled": False,
    "responses.errors": "flat",
    **_NO_COPY, **_ONE_ROLE, **_NOTHING_FORBIDDEN, **_NO_END, **_FINAL_REVOKE, **_REPORT,
}  # fmt: skip

_QUALYTICS: dict[str, Any] = {
    "terminology": "qualytics",
    "accounts.id_template": "{slug}@service",
    "accounts.slug": {"space": "_"},
    "accounts.list_with_users": "badged",
    "accounts.required": ["name", "role"],
    "accounts.disable_confirm": "typed",
    "accounts.restore_days": 0,
    "grants.sources": ["role", "team"],
    "system_groups": [_group("Public", "all", "membership", "name", "grants", "deletion", kind="team")],
    "roles.templates": [
        _role("Admin", *_MANAGES_ALL, "pat:issue", like="administrator"),
        _role("Manager", *_EVERYTHING, "user:read", *_TEAMS, "role:read", "pat:issue"),
        _role("Editor", *_EDITS, "pat:issue"),
        _role("Member", *_READS, "pat:issue"),
    ],
    "credentials.format": "jwt",
    "credentials.mask_last": 4,
    "credentials.max_usable": None,
    "credentials.self_rotation": False,
    "expiry.required": False,
    "expiry.default_days": "never",
    "expiry.choices": [30, 60, 90, 365, "never"],
    "rotation.modes": ["rotate"],
    "rotation.lead_days": 30,
    "revoke.restore_hours": None,
    "pat.admin_visibility": "none",
    **_NO_COPY, **_ONE_ROLE, **_NOTHING_FORBIDDEN, **_LONG_PATS, **_REPORT,
}  # fmt: skip

_PRECISELY: dict[str, Any] = {
    "terminology": "precisely",
    "accounts.id_template": "{name}",
    "accounts.unique": "name",
    "accounts.list_with_users": "badged",
    "accounts.required": ["name"],
    "accounts.initial_credential": "none",
    "accounts.restore_days": 0,
    "grants.sources": ["group", "role", "policy"],
    "grants.group_roles_from": "policy",
    "elevated": {"justification": "optional"},
    "system_groups": [
        _group(name, "chosen", "name", "grants", "deletion")
        for name in ("Workspace owner", "Workspace administrator", "Workspace member")
    ],
    "credentials.format": "pair",
    "credentials.schemes": ["apikey", "basic_pair"],
    "credentials.name": {"unique": "none"},
    "credentials.max_usable": 2,
    "credentials.self_rotation": False,
    "credentials.exchange_seconds": 3600,
    **_NO_COPY, **_NO_END, **_FINAL_REVOKE, **_LONG_PATS, **_REPORT,
    "forbidden_for_service": {"roles": [], "groups": ["workspace-owner"], "permissions": []},
}  # fmt: skip

_PLANHAT: dict[str, Any] = {
    "terminology": "planhat",
    "accounts.id_template": "{name}",
    "accounts.unique": "none",
    "accounts.list_with_users": "hidden",
    "accounts.required": ["name"],
    "accounts.initial_credential": "none",
    "accounts.copy_permissions": {"modes": ["copy"]},
    "accounts.disable_confirm": "none",
    "accounts.restore_days": 0,
    "grants.sources": ["direct"],
    "grants.roles_per_account": {"min": 0, "max": 0},
    "elevated": {"justification": "optional"},
    "system_groups": [],
    "credentials.mask_last": 4,
    "credentials.schemes": ["bearer", "basic_token"],
    "credentials.name": {"required": False, "unique": "none"},
    "credentials.max_usable": None,
    "rotation.modes": ["rotate"],
    "pat.enabled": False,
    "ingest.enabled": True,
    "ingest.presentation": ["path", "basic"],
    "limits.per_account": {"per_minute": 200, "per_second": 150, "parallel": 50},
    "responses.status": {"unauthenticated": 403},
    **_NOTHING_FORBIDDEN, **_NO_END, **_FINAL_REVOKE, **_REPORT,
}  # fmt: skip

_WAVEFRONT: dict[str, Any] = {
    "terminology": "wavefront",
    "accounts.id_template": "sa::{slug}",
    "accounts.required": ["name"],
    "accounts.disable_confirm": "none",
    "accounts.restore_days": 0,
    "grants.sources": ["direct", "role", "group"],
    "elevated": {"justification": "optional"},
    "system_groups": [_group("Everyone", "all", "membership", "name", "deletion")],
    "credentials.format": "uuid",
    "credentials.mask_last": 4,
    "credentials.name": {"required": False, "unique": "none"},
    "credentials.max_usable": 20,
    "credentials.self_rotation": False,
    "rotation.modes": ["rotate"],
    "pat.on_permission_loss": "keep",
    "pat.max_usable": 20,
    "pat.max_days": None,
    **_NO_COPY, **_NO_END, **_FINAL_REVOKE, **_REPORT,
    "forbidden_for_service": {"roles": [], "groups": [], "permissions": ["credential:issue", "pat:issue"]},
}  # fmt: skip

NATIVE = "native"
#: What each preset says other than the native defaults.
PRESETS: dict[str, dict[str, Any]] = {
    NATIVE: {},
    "whaly": _WHALY,
    "qualytics": _QUALYTICS,
    "precisely": _PRECISELY,
    "planhat": _PLANHAT,
    "wavefront": _WAVEFRONT,
}
