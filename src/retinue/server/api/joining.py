"""The groups and teams that a body names, for an account that is made in them."""

from __future__ import annotations

from collections.abc import Iterable

from retinue.server.access import subjects
from retinue.server.access.queries import Group
from retinue.server.api.operations import Call


def collections_named(call: Call, kind: str, texts: Iterable[str]) -> list[Group]:
    """Return groups or teams by id or name, once each. Raises ``NotFound`` that names the place."""
    return [
        subjects.group(call.organization, text, kind, field=f"{kind}s.{place}")
        for place, text in enumerate(dict.fromkeys(texts))
    ]
