"""Routes about people, organizations and their policy."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.cli.answers import ETL_REF, USER, Reply, page
from tests.cli.calls import Call
from tests.cli.organization_answers import (
    CHECK,
    FOUNDED,
    IMPACT,
    INVITED,
    ORGANIZATION,
    POLICY,
    POLICY_KEY,
    PRESENTATION,
    PRESET,
    VERSION,
)


def _checked(call: Call) -> Reply:
    """Only one key is too few."""
    is_small = (call.body.get("set") or {}).get("credentials.max_usable") == 1
    return 200, CHECK if is_small else {**CHECK, "broken": [], "broken_total": 0}


_O = "/v1/organizations"
PEOPLE: list[tuple[str, str, Callable[[Call, re.Match[str]], Reply]]] = [
    ("POST", "/v1/invitations", lambda c, m: (201, INVITED)),
    ("POST", "/v1/users/(.+)/invite", lambda c, m: (201, INVITED)),
    ("GET", "/v1/users/(.+)/impact", lambda c, m: (200, IMPACT)),
    ("POST", "/v1/users/(.+)/reassign", lambda c, m: (200, {"items": [ETL_REF]})),
    ("POST", "/v1/users/(.+)/reset-sign-in", lambda c, m: (200, USER)),
    ("POST", "/v1/users/(.+)/enable", lambda c, m: (200, USER)),
    (
        "POST",
        "/v1/users/(.+)/disable",
        lambda c, m: (200, {**USER, "state": "disabled", "status": "disabled"}),
    ),
    ("DELETE", "/v1/users/(.+)", lambda c, m: (200, {**USER, "state": "deleted", "status": "deleted"})),
    ("GET", _O, lambda c, m: page([ORGANIZATION])),
    ("POST", _O, lambda c, m: (201, FOUNDED)),
    ("POST", f"{_O}/(.+)/administrator", lambda c, m: (201, FOUNDED)),
    ("POST", f"{_O}/(.+)/enable", lambda c, m: (200, ORGANIZATION)),
    ("POST", f"{_O}/(.+)/disable", lambda c, m: (200, {**ORGANIZATION, "state": "disabled"})),
    ("GET", f"{_O}/(.+)", lambda c, m: (200, ORGANIZATION)),
    ("GET", "/v1/organization", lambda c, m: (200, ORGANIZATION)),
    ("DELETE", "/v1/organization", lambda c, m: (200, {**ORGANIZATION, "state": "deleted"})),
    ("PATCH", "/v1/organization", lambda c, m: (200, {**ORGANIZATION, "name": c.body["name"]})),
    ("GET", "/v1/policy", lambda c, m: (200, POLICY)),
    ("PATCH", "/v1/policy", lambda c, m: (200, POLICY)),
    ("POST", "/v1/policy/check", lambda c, m: _checked(c)),
    ("GET", "/v1/policy/keys", lambda c, m: page([POLICY_KEY])),
    ("GET", "/v1/presentation", lambda c, m: (200, PRESENTATION)),
    ("GET", "/v1/policy/presets", lambda c, m: page([PRESET])),
    ("GET", "/v1/policy/versions", lambda c, m: page([VERSION])),
    ("GET", "/v1/policy/versions/(.+)", lambda c, m: (200, VERSION)),
]
