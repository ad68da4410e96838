"""What the tests' own control plane answers about saved views."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.cli.answers import ADMIN, NOW, Reply, page
from tests.cli.calls import Call

VIEW: dict[str, Any] = {
    "id": "view_" + "V" * 16,
    "list": "service-accounts",
    "name": "Idle",
    "filters": {"status": "idle"},
    "sort": None,
    "columns": ["owner"],
    "density": None,
    "shared": True,
    "owner": ADMIN,
    "owner_left": False,
    "stale": [],
    "created_at": NOW,
    "updated_at": NOW,
}
_ONE = f"/v1/saved-views/{VIEW['id']}"


def _changed(call: Call, _match: re.Match[str]) -> Reply:
    given = {name: value for name, value in call.body.items() if name not in ("reason", "owner")}
    return 200, {**VIEW, **given}


VIEWS: list[tuple[str, str, Callable[[Call, re.Match[str]], Reply]]] = [
    ("GET", "/v1/saved-views", lambda c, m: page([VIEW])),
    ("POST", "/v1/saved-views", lambda c, m: (201, VIEW)),
    ("GET", _ONE, lambda c, m: (200, VIEW)),
    ("PATCH", _ONE, _changed),
    ("DELETE", _ONE, lambda c, m: (200, VIEW)),
]
