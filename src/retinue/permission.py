"""Permission names, wildcards, and sets of permissions as bit masks.

A permission is ``resource:action``; the resource may be dotted (``company.email:view``). A permission on
``company`` does not include ``company.email``. In a pattern ``*`` stands for one whole part: the action, a
dotted part of the resource (``company.*:view``), or, alone, the whole resource (``*:read``).

A set of permissions that a node evaluates is a bit mask over the catalogue: each declared permission has
an index that never changes, so a check costs the same with 10 and with 1,000 permissions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_LENGTH = 128
_PART = r"[a-z][a-z0-9_-]*"
_NAME = re.compile(rf"{_PART}(?:\.{_PART})*:{_PART}", re.ASCII)
_PATTERN = re.compile(rf"(?:\*|{_PART}(?:\.(?:{_PART}|\*))*):(?:{_PART}|\*)", re.ASCII)


def is_name(text: str) -> bool:
    """Tell whether ``text`` is a permission without wildcards."""
    return len(text) <= MAX_LENGTH and _NAME.fullmatch(text) is not None


def is_pattern(text: str) -> bool:
    """Tell whether ``text`` is a permission or a pattern with ``*`` for whole parts."""
    return len(text) <= MAX_LENGTH and _PATTERN.fullmatch(text) is not None


def resource_of(name: str) -> str:
    """Return the resource of a permission or pattern: what stands before the colon."""
    return name.partition(":")[0]


def matches(pattern: str, name: str) -> bool:
    """Tell whether the permission ``name`` is covered by ``pattern``."""
    wanted_resource, _, wanted_action = pattern.partition(":")
    resource, _, action = name.partition(":")
    if wanted_action not in ("*", action):
        return False
    if wanted_resource in ("*", resource):
        return True
    wanted_parts = wanted_resource.split(".")
    parts = resource.split(".")
    return len(wanted_parts) == len(parts) and all(
        wanted in ("*", part) for wanted, part in zip(wanted_parts, parts, strict=True)
    )


def mask(indexes: Iterable[int]) -> bytes:
    """Return the bit mask that holds the permissions with these catalogue indexes."""
    value = 0
    for index in indexes:
        value |= 1 << index
    return value.to_bytes((value.bit_length() + 7) // 8, "little")


def holds(held: bytes, index: int) -> bool:
    """Tell whether the mask ``held`` has the permission with this catalogue index."""
    position = index >> 3
    return position < len(held) and held[position] >> (index & 7) & 1 == 1


def union(masks: Iterable[bytes]) -> bytes:
    """Return the mask of all permissions that any of ``masks`` holds."""
    value = 0
    for each in masks:
        value |= int.from_bytes(each, "little")
    return value.to_bytes((value.bit_length() + 7) // 8, "little")


def without(held: bytes, removed: bytes) -> bytes:
    """Return ``held`` without the permissions in ``removed``; empty if nothing is left."""
    value = int.from_bytes(held, "little") & ~int.from_bytes(removed, "little")
    return value.to_bytes((value.bit_length() + 7) // 8, "little")


def indexes(held: bytes) -> list[int]:
    """Return the catalogue indexes in a mask, ascending."""
    value = int.from_bytes(held, "little")
    return [index for index in range(value.bit_length()) if value >> index & 1]
