"""Opaque ids: a prefix that tells the noun, and 16 random base62 characters (95 bits). They never change."""

from __future__ import annotations

import secrets

from retinue.token import BASE62

ID_LENGTH = 16


def new_id(prefix: str) -> str:
    """Return a new id such as ``sa_8fK2…`` for the prefix ``sa``."""
    return f"{prefix}_" + "".join([secrets.choice(BASE62) for _ in range(ID_LENGTH)])
