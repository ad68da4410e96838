"""What the tests' own control plane answers about access."""

from __future__ import annotations

from typing import Any

from tests.cli.answers import ADMIN, ETL_REF, GRANT, NOW, account, key

ROLE = {
    "id": "rol_" + "R" * 16,
    "handle": "auditor",
    "name": "Auditor",
    "description": "Reads everything",
    "permissions": ["report:read", "report:list"],
    "like": None,
    "bypass_scopes": False,
    "people_only": False,
    "holders": 2,
    "created_at": NOW,
    "created_by": ADMIN,
    "updated_at": NOW,
}
CONDITION = {"field": "environment", "values": ["prod", "staging"]}
GROUP: dict[str, Any] = {
    "id": "grp_" + "G" * 16,
    "kind": "group",
    "name": "Data",
    "description": "",
    "rule": None,
    "match": "all",
    "conditions": [],
    "locked": [],
    "roles": ["auditor"],
    "members": 1,
    "resources": 0,
    "created_at": NOW,
    "created_by": ADMIN,
    "updated_at": NOW,
}
TEAM = {**GROUP, "id": "tea_" + "T" * 16, "kind": "team", "name": "Blue", "resources": 2}
MEMBER = {
    "principal": ETL_REF,
    "by_rule": False,
    "state": "active",
    "justification": "nightly export",
    "granted_by": ADMIN,
    "granted_at": NOW,
    "approved_by": None,
    "expires_at": None,
}
ACCESS_POLICY = {
    "id": "acp_" + "P" * 16,
    "name": "P7",
    "description": "",
    "match": "any",
    "conditions": [CONDITION],
    "subjects": [{"id": GROUP["id"], "kind": "group", "handle": "Data", "name": "Data"}],
    "roles": ["auditor"],
    "enabled": True,
    "locked": False,
    "state": "active",
    "created_at": NOW,
    "created_by": ADMIN,
    "updated_at": NOW,
}
ASSIGNMENT = {
    "id": "asg_" + "A" * 16,
    "subject": ETL_REF,
    "role": {"id": ROLE["id"], "kind": "role", "handle": "auditor", "name": "Auditor"},
    "state": "active",
    "origin": None,
    "justification": "nightly export",
    "granted_by": ADMIN,
    "granted_at": NOW,
    "approved_by": None,
    "expires_at": None,
}
PERMISSION = {
    "name": "report:read",
    "label": "Read reports",
    "description": "",
    "sensitivity": "normal",
    "management": False,
    "declared_by": "permissions.yaml",
}
_STEP = {
    "kind": "role",
    "id": ROLE["id"],
    "name": "Auditor",
    "granted_by": ADMIN,
    "granted_at": NOW,
    "justification": "",
    "expires_at": None,
}
MAY: dict[str, Any] = {
    "principal": ETL_REF,
    "permission": "report:read",
    "resource": None,
    "allowed": True,
    "reason": None,
    "held": "inherited",
    "paths": [
        {
            **_STEP,
            "text": "report:read <- role Auditor <- group Data",
            "resource": "*",
            "within_teams": False,
            "path": [_STEP],
        }
    ],
    "others": [],
}
MAY_NOT = {**MAY, "allowed": False, "reason": "permission_missing", "held": "none", "paths": []}
HELD = {"permission": "report:read", "held": "inherited", "last_used_at": None, "sources": MAY["paths"]}
#: A grant of the account's own that it has had for long, and did not use.
UNUSED = {**GRANT, "granted_at": "2025-06-01T12:00:00.000Z"}
DRIFTED = {"origin": "account loader", "missing": ["report:write"], "extra": []}
MATCHED = {"principals": [ETL_REF], "principals_count": 1, "groups": []}
SIMULATED = {
    "examined": 12,
    "truncated": False,
    "items": [{"principal": ETL_REF, "gained": ["report:read"], "lost": [], "limited": []}],
}

#: What ``expiry.enforce: all`` would shorten.
PLAN = {
    "enforce": "new",
    "credentials": 1,
    "in_use": 1,
    "items": [{"key": key(), "expires_at": "2026-03-01T00:00:00.000Z"}],
}


def granted(body: dict[str, Any]) -> dict[str, Any]:
    """What the API answers to a grant."""
    return {**GRANT, "permission": body["permission"], "resource": body.get("resource", "*")}


def created_account(body: dict[str, Any]) -> dict[str, Any]:
    """A new account; one that is called `waits` waits for approval."""
    waits = {"state": "disabled", "status": "disabled", "awaits_approval": True}
    return account(name=body["name"], handle=body["name"], **(waits if body["name"] == "waits" else {}))
