"""Where the tests' own control plane answers about access."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.cli.access_answers import (
    ACCESS_POLICY,
    ASSIGNMENT,
    DRIFTED,
    GROUP,
    HELD,
    MATCHED,
    MAY,
    MEMBER,
    PERMISSION,
    ROLE,
    SIMULATED,
    TEAM,
    UNUSED,
    granted,
)
from tests.cli.answers import ETL_REF, GRANT, Reply, page

#: Method, pattern of the path, and what answers a call.
Route = tuple[str, str, Callable[[Any, re.Match[str]], Reply]]


def _collection(path: str, of: dict[str, Any]) -> list[Route]:
    """What can be done to the one group or team, role or access policy."""
    one = f"{path}/([^/]+)"
    return [
        ("GET", path, lambda c, m: page([of])),
        ("POST", path, lambda c, m: (201, {**of, "name": c.body["name"]})),
        ("GET", one, lambda c, m: (200, of)),
        ("PATCH", one, lambda c, m: (200, {**of, **{k: v for k, v in c.body.items() if k == "name"}})),
        ("DELETE", one, lambda c, m: (200, of)),
        ("GET", f"{one}/members", lambda c, m: page([MEMBER])),
        ("POST", f"{one}/add", lambda c, m: page([MEMBER])),
        ("POST", f"{one}/members/([^/]+)/approve", lambda c, m: (200, MEMBER)),
        ("GET", f"{one}/resources", lambda c, m: page([{"resource": "r-1"}])),
        ("POST", f"{one}/(remove|resources|approve)", lambda c, m: (200, of)),
    ]


ACCESS: list[Route] = [
    ("POST", "/v1/roles/(.+)/clone", lambda c, m: (201, {**ROLE, **c.body})),
    ("POST", "/v1/access-policies/preview", lambda c, m: (200, MATCHED)),
    ("POST", "/v1/decisions/simulate", lambda c, m: (200, SIMULATED)),
    ("GET", "/v1/(service-accounts|users)/(.+)/permissions", lambda c, m: page([HELD])),
    ("GET", "/v1/service-accounts/[^/]+/grants", lambda c, m: page([UNUSED])),
    (
        "PATCH",
        "/v1/service-accounts/[^/]+/grants",
        lambda c, m: (200, {"granted": [], "taken": [UNUSED] if c.body["take"] else []}),
    ),
    ("GET", "/v1/service-accounts/(.+)/drift", lambda c, m: page([DRIFTED])),
    *_collection("/v1/roles", ROLE),
    *_collection("/v1/groups", GROUP),
    *_collection("/v1/teams", TEAM),
    *_collection("/v1/access-policies", ACCESS_POLICY),
    ("GET", "/v1/assignments", lambda c, m: page([ASSIGNMENT])),
    ("POST", "/v1/assignments", lambda c, m: (201, ASSIGNMENT)),
    ("DELETE", "/v1/assignments/(.+)", lambda c, m: (200, ASSIGNMENT)),
    ("POST", "/v1/assignments/(.+)/approve", lambda c, m: (200, ASSIGNMENT)),
    ("GET", "/v1/grants", lambda c, m: page([GRANT])),
    ("POST", "/v1/grants", lambda c, m: (201, granted(c.body))),
    ("DELETE", f"/v1/grants/{GRANT['id']}", lambda c, m: (200, GRANT)),
    ("POST", "/v1/grants/(.+)/approve", lambda c, m: (200, GRANT)),
    ("GET", "/v1/permissions", lambda c, m: page([PERMISSION])),
    ("POST", "/v1/permissions/import", lambda c, m: (200, {"declared": 90})),
    ("POST", "/v1/decisions/explain", lambda c, m: (200, MAY)),
    ("GET", "/v1/decisions/who", lambda c, m: page([ETL_REF])),
]
