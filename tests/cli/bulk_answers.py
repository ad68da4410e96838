"""What the control plane of the tests answers to one act on many objects."""

from __future__ import annotations

from typing import Any

from tests.cli.answers import ISSUED

#: Of the ids that the filter finds.
DIGEST = "c1" * 32


def bulk(body: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Two keys that a filter finds; one of them is refused."""
    items = [
        {"id": "key_LiveLiveLive", "name": "etl/k1", "result": "done", "state": "revoked", "code": None,
         "detail": None, "uses_24h": 7},
        {"id": "key_OldOldOldOld", "name": "etl/k2", "result": "refused", "state": "active",
         "code": "state_conflict", "detail": "it is the last", "uses_24h": 0},
    ]  # fmt: skip
    preview = bool(body.get("preview"))
    counts = {"matched": 2, "done": 1, "unchanged": 0, "refused": 1}
    issued = {} if path != "keys/rotate" else {"issued": None if preview else [ISSUED]}
    return {**issued, "preview": preview, "digest": DIGEST, **counts, "items": items}
