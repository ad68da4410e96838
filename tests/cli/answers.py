"""The objects that the tests' own control plane answers, in the API's shapes."""

from __future__ import annotations

from typing import Any

ADMIN = {"id": "usr_" + "A" * 16, "kind": "user", "handle": "admin", "name": "Admin"}
ETL_ID = "sa_" + "E" * 16
ETL_REF = {"id": ETL_ID, "kind": "service_account", "handle": "etl", "name": "etl"}
LIVE, OLD, DEAD = "key_LiveLiveLive", "key_OldOldOldOld", "key_DeadDeadDead"
NOW = "2026-03-01T12:00:00.000Z"
NEW_TOKEN = "rtnsa_LiveLiveLive_" + "s" * 49
Reply = tuple[int, Any]


def account(**more: Any) -> dict[str, Any]:
    """Return a service account as the API answers it."""
    return {
        "id": ETL_ID,
        "kind": "service_account",
        "handle": "etl",
        "name": "etl",
        "description": "",
        "purpose": "Loads the warehouse",
        "documentation": "",
        "environment": "production",
        "systems": ["warehouse"],
        "attributes": {"tier": "gold"},
        "owners": [ADMIN],
        "roles": ["auditor"],
        "state": "enabled",
        "status": "active",
        "status_reason": None,
        "awaits_approval": False,
        "created_at": "2026-01-02T03:04:05.678Z",
        "created_by": ADMIN,
        "updated_at": "2026-01-02T03:04:05.678Z",
        "keys": {"usable": 1, "total": 2},
        "last_used_at": "2026-03-01T11:00:00.000Z",
        **more,
    }


def key(ident: str = LIVE, name: str = "k1", **more: Any) -> dict[str, Any]:
    """Return an API key as the API answers it."""
    kid = ident.removeprefix("key_")
    return {
        "id": ident,
        "key_id": kid,
        "kind": "api_key",
        "account": ETL_REF,
        "name": name,
        "display": f"rtnsa_{kid}_…",
        "state": "active",
        "status": "active",
        "reason": None,
        "reason_text": None,
        "issued_at": "2026-02-01T00:00:00.000Z",
        "issued_by": ADMIN,
        "expires_at": "2026-05-01T00:00:00.000Z",
        "retires_at": None,
        "rotated_from": None,
        "rotated_to": None,
        "revoked_at": None,
        "revoked_by": None,
        "first_used_at": None,
        "last_used_at": None,
        "use_count": 7,
        **more,
    }


def page(items: list[Any]) -> Reply:
    """Return a list, all of it."""
    return 200, {"items": items, "next": None}


def problem(status: int, code: str, **more: Any) -> Reply:
    """Return an error answer."""
    body = {"type": f"/docs/errors/{code}", "title": code.replace("_", " "), "status": status, "code": code}
    return status, {**body, "request_id": "req_" + "R" * 16, **more}


ISSUED = {
    "key": key(),
    "token": NEW_TOKEN,
    "expiry": {"at": "2026-05-01T00:00:00.000Z", "because": "default"},
}


def imported(body: dict[str, Any]) -> dict[str, Any]:
    """What the API answers to an import: the first key is done, the others are refused."""
    refusal = {"code": "duplicate_name", "field": "name", "detail": "etl has a key named 'k1' already"}
    items = [
        {
            "account": each["account"],
            "name": each["name"],
            "result": "refused" if place else "done",
            "id": None if place or body["preview"] else LIVE,
            "expires_at": None if place else "2026-05-01T00:00:00.000Z",
            **(refusal if place else dict.fromkeys(refusal)),
        }
        for place, each in enumerate(body["keys"])
    ]
    return {"preview": body["preview"], "done": 1, "unchanged": 0, "refused": len(items) - 1, "items": items}


USER = {
    **ADMIN,
    "email": "admin@acme.example",
    "roles": ["owner"],
    "state": "enabled",
    "operator": True,
    "created_at": NOW,
    "created_by": None,
    "can_sign_in": True,
    "status": "active",
    "invitation_expires_at": None,
}
GRANT = {
    "id": "grt_" + "G" * 16,
    "subject": ETL_REF,
    "permission": "report:read",
    "resource": "*",
    "source": "direct",
    "state": "active",
    "origin": None,
    "justification": "nightly export",
    "granted_by": ADMIN,
    "granted_at": NOW,
    "approved_by": None,
    "expires_at": None,
}
REQUEST = {
    "id": "log_" + "Q" * 16,
    "at": NOW,
    "account": {"id": ETL_ID, "kind": "service_account", "name": "etl"},
    "credential_id": LIVE,
    "credential_name": "k1",
    "decision": "denied",
    "reason": "credential_revoked",
    "permission": "report:read",
    "method": "GET",
    "path": "/reports",
    "address": "127.0.0.1",
    "client": "curl/8",
    "node": "local",
    "revision": 12,
    "duration_us": 14,
    "request_id": "req_" + "R" * 16,
    "route": "/reports",
    "status": 401,
}
EVENT = {
    "id": "12.1",
    "revision": 12,
    "at": NOW,
    "type": "key.revoked",
    "actor": {"id": ADMIN["id"], "kind": "user", "name": "Admin"},
    "credential_id": "pat_AdminAdminAd",
    "request_id": "req_" + "R" * 16,
    "address": "127.0.0.1",
    "subject": {"kind": "api_key", "id": LIVE, "name": "k1"},
    "reason": "no_longer_needed",
    "before": {"state": "active"},
    "after": {"state": "revoked"},
}
SPEED = {"decisions": 40000, "window_seconds": 300, "p50_us": 11.5, "p99_us": 62.25}
ABOUT = {"told_at": NOW, "version": "0.1.0", "credentials": 1200, "verification": SPEED}
NODE = {
    "id": "nod_" + "N" * 16,
    "name": "local",
    "state": "enrolled",
    "created_at": NOW,
    "connected": True,
    "incarnation": "0" * 32,
    "applied": {"epoch": 1, "revision": 12},
    "lag": 0,
    "last_contact_at": "2026-03-01T11:59:00.000Z",
    "lease_remaining_seconds": 9.25,
    "stale_seconds": 0.0,
    "clock": {"state": "ok", "ratio": 1.00002, "wall_ahead_seconds": 0.013, "losses": 0},
    "waits": 2,
    "last_wait_at": "2026-02-28T08:30:00.000Z",
    "requests_missing": 0,
    "about": ABOUT,
}
PAT = key("pat_AdminAdminAd", "init", kind="personal_access_token", account=ADMIN, key_id="AdminAdminAd")
WEB = key("ing_WebWebWebWeb", "web", kind="ingest_token", account=None, key_id="WebWebWebWeb")


def issued(of: dict[str, Any]) -> dict[str, Any]:
    """Return a credential with its new token, as the API answers it."""
    return {**ISSUED, "key": of}


def compromised(*of: dict[str, Any]) -> dict[str, Any]:
    """Return what a compromise ends."""
    return {"id": "x", "credentials": len(of), "in_use": 1, "last_used_at": NOW, "items": list(of)}


ME = {
    "principal": {**ADMIN, "email": "admin@acme.example"},
    "organization": {"id": "org_" + "O" * 16, "handle": "acme", "name": "Acme"},
    "credential": {"id": "pat_AdminAdminAd", "kind": "pat", "name": "init", "expires_at": None},
    "permissions": ["service_account:read", "user:read"],
    "operator": True,
}
ALLOWED: dict[str, Any] = {
    "allowed": True,
    "reason": None,
    "account": {"id": ETL_ID, "kind": "service_account", "name": "etl"},
    "organization": "org_" + "O" * 16,
    "credential_id": LIVE,
    "permission": "service_account:read",
    "revision": 12,
    "expires_at": None,
    "rotate_by": None,
    "warnings": [],
}
DENIED = {**ALLOWED, "allowed": False, "reason": "credential_revoked"}
KEYS = [
    key(),
    key(OLD, "k2"),
    key(DEAD, "k1", state="revoked", status="revoked", reason="compromised"),
    key("key_SpunSpunSpun", "spun", status="retiring", rotated_to="key_SpinSpinSpin"),
    key("key_SpinSpinSpin", "spun", rotated_from="key_SpunSpunSpun"),
    key("key_TwinTwinTwi1", "twin"),
    key("key_TwinTwinTwi2", "twin"),
]


FINDING = {
    "id": "fnd_ownerless-" + ETL_ID,
    "kind": "ownerless",
    "severity": "medium",
    "meaning": "Nobody who is still here owns the account.",
    "proposed": "reassign",
    "subject": {"id": ETL_ID, "kind": "service_account", "name": "etl", "account": ETL_REF},
    "since": "2026-02-20T12:00:00.000Z",
    "state": "open",
    "exception": None,
    "evidence": {},
}
REVIEW = {
    "id": "rev_1",
    "name": "Autumn",
    "template": "full",
    "state": "open",
    "no_answer": "disable",
    "fallback": None,
    "opened_at": "2026-02-20T12:00:00.000Z",
    "opened_by": ADMIN,
    "due_at": "2026-03-06T12:00:00.000Z",
    "ends_at": "2026-03-20T12:00:00.000Z",
    "applied_at": None,
    "applied_by": None,
    "progress": {"accounts": 1, "decided": 0},
}
REVIEW_ITEM = {
    "id": "rit_1",
    "account": ETL_REF,
    "evidence": {"last_used_at": "2026-03-01T11:00:00.000Z", "permissions_held_count": 2},
    "asked": ADMIN,
    "needs_reason": False,
    "decision": None,
    "note": "",
    "assignee": None,
    "decided_by": None,
    "decided_at": None,
    "outcome": None,
}
EPOCH = {
    "epoch": 2,
    "state": "recovering",
    "cause": "checkpoint",
    "detail": {"epoch": 1, "revision": 150, "mark": "0123456789abcdef"},
    "began_at": "2026-03-01T11:00:00.000Z",
    "opened_at": None,
    "seconds_left": 7.5,
    "journals": [
        {"node": "edge", "id": "nod_2", "state": "awaited", "unknown": 0, "at": "2026-03-01T11:00:00.000Z"}
    ],
    "lost": {"waiting": 0, "nothing": 0, "replayed": 3, "closed": 1, "unknown": 1, "open": 0},
}
LOST = {
    "kind": "credential",
    "key": "Ab0123456789",
    "subject": "key_Ab0123456789",
    "organization": "org_1",
    "epoch": 1,
    "revision": 140,
    "at": "2026-03-01T10:00:00.000Z",
    "node": "edge",
    "reduces": False,
    "outcome": "unknown",
    "done": ["active"],
}
