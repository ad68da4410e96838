"""Whom to ask: people of the organization who may hand out what somebody lacks."""

from __future__ import annotations

from itertools import islice

from retinue.authority import Resource
from retinue.server.access import explaining

#: So many are named.
MOST = 3
#: So many are looked at, in the order of their names.
_LOOKED_AT = 50


def whom(organization_id: str, permission: str) -> list[str]:
    """Return the names of a few enabled users who may use ``permission``, in order."""
    rows = explaining.candidates(organization_id, permission).filter(kind="user").order_by("name", "id")
    return [each.name for each in islice(explaining.who(rows[:_LOOKED_AT], permission, Resource()), MOST)]
