"""Handles of roles and groups, by which policies name them. Pure; no database."""

from __future__ import annotations

import re
import unicodedata

from retinue.server.directory.rules import fold
from retinue.server.errors import Refused

_HANDLE = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?", re.ASCII)


def slug(name: str) -> str:
    """Make a handle from a name: lower case ASCII, anything else becomes one ``-``. May be empty."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._]+", "-", plain).strip("-._")[:63].strip("-._")


def check(name: str, handle: str | None) -> str:
    """Return the handle of a role: the given one, folded, or one made from its name."""
    made = slug(name) if handle is None else fold(handle)
    if not made and handle is None:
        raise Refused("missing_field", "no handle can be made from this name; give one", field="handle")
    if not _HANDLE.fullmatch(made):
        raise Refused(
            "invalid_value",
            "1 to 63 characters of a-z, 0-9, dot, dash and underscore, no dash or dot at the ends",
            field="handle",
        )
    return made
