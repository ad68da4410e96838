"""JSON in one form only (RFC 8785), so that its hash can be made again from what it says. Pure.

Python's own encoder writes that form for what events hold: text, whole numbers, lists, objects.
"""

from __future__ import annotations

import json
from typing import Any

from retinue import proof

_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def canonical(value: Any) -> str:
    """Return ``value`` as canonical JSON; :func:`proof.plain` tells what it says otherwise."""
    return _encoder.encode(proof.plain(value))
