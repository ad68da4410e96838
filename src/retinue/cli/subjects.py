"""Whom a command means: a principal, or ``group:NAME``, ``team:NAME``, ``role:NAME``, ``policy:NAME``."""

from __future__ import annotations

from retinue.cli import lookup
from retinue.cli.session import Session
from retinue.client import access as ops

_COLLECTIONS = {"group": (ops.GROUPS, "grp"), "team": (ops.TEAMS, "tea")}


def subject_id(session: Session, text: str) -> str:
    """Return the id of a subject; an id is taken as it is."""
    kind, colon, name = text.partition(":")
    if not colon:
        return lookup.actor_id(session, text)
    if kind in _COLLECTIONS:
        of, prefix = _COLLECTIONS[kind]
        return lookup.named(session, of.list, of.get, kind, name, prefix=prefix).id
    if kind == "role":
        return lookup.named(session, ops.LIST_ROLES, ops.GET_ROLE, "role", name, prefix="rol", by="handle").id
    if kind == "policy":
        return lookup.named(
            session, ops.LIST_ACCESS_POLICIES, ops.GET_ACCESS_POLICY, "access policy", name, prefix="acp"
        ).id
    return lookup.actor_id(session, text)
