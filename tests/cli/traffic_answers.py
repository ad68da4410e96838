"""What the tests' own control plane answers about names and the request log's counts."""

from __future__ import annotations

from typing import Any

LAST = "2026-02-27T10:00:00.000Z"
TALLY = {
    "by": "reason",
    "since": "2026-02-27T09:00:00.000Z",
    "until": LAST,
    "whole": True,
    "allowed": 0,
    "denied": 9,
    "items": [
        {"value": "credential_revoked", "name": None, "allowed": 0, "denied": 7, "last_at": LAST},
        {"value": "permission_missing", "name": None, "allowed": 0, "denied": 2, "last_at": LAST},
    ],
}


def checked(name: str) -> dict[str, Any]:
    """Return what the API says of a name: ``etl`` is taken, every other one is free."""
    taken = {"code": "duplicate_name", "detail": "the handle 'etl' is taken by sa_1", "field": "name"}
    problems = [taken] if name == "etl" else []
    return {"name": name, "handle": name, "ok": not problems, "problems": problems}


TRAFFIC = [
    ("GET", "/v1/requests/tally", lambda c, m: (200, TALLY)),
    (
        "POST",
        "/v1/service-accounts/names/check",
        lambda c, m: (200, {"items": [checked(each) for each in c.body["names"]]}),
    ),
]
