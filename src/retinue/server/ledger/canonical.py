"""JSON in one form only (RFC 8785), so that its hash can be made again from what it says. Pure.

Python's own encoder writes that form for what events hold: text, whole numbers, lists, objects.
"""

from __future__ import annotations

import json
from typing import Any

#: Whole numbers up to here are the same in every JSON reader.
_LARGEST = 2**53 - 1
_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def canonical(value: Any) -> str:
    """Return ``value`` as canonical JSON; see :func:`plain` for what JSON cannot say in one way alone."""
    return _encoder.encode(plain(value))


def plain(value: Any) -> Any:
    """Return ``value`` with text in place of fractions, large numbers and halves of characters.

    A fraction without a rest is a whole number, as the canonical form has it.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value if value.isascii() else _whole(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        return value if abs(value) <= _LARGEST else str(value)
    if isinstance(value, dict):
        # The canonical order is that of UTF-16, which differs for characters beyond the first plane.
        found = {_whole(str(name)): plain(each) for name, each in value.items()}
        return dict(sorted(found.items(), key=lambda item: item[0].encode("utf-16-be")))
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return str(value)


def _whole(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
