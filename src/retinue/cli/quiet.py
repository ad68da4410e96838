"""Waiting until a key that was rotated is not called any more."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from retinue.cli.exits import CommandError, Exit
from retinue.cli.lookup import key_label
from retinue.cli.session import Session
from retinue.client import operations as ops
from retinue.client.models import Key

#: Between two looks: a call may end the quiet at any time.
_LONGEST_SECONDS = 60.0


def wait(session: Session, key: Key, seconds: int) -> bool:
    """Wait until no call was allowed with ``key`` for so long.

    Returns whether there is an overlap left to end: not if it ended meanwhile. Raises ``CommandError`` if
    the key is in no rotation.
    """
    if key.status != "retiring":
        raise CommandError(
            f"key {key_label(key)} is not retiring", f"retinue key rotate {key_label(key)}", Exit.CONFLICT
        )
    told = ""
    while key.status == "retiring":
        left = seconds - _quiet_seconds(key)
        if left <= 0:
            return True
        if key.last_used_at != told:
            session.say(f"key {key_label(key)} was called at {key.last_used_at}; waiting")
            told = key.last_used_at or ""
        time.sleep(min(left, _LONGEST_SECONDS))
        key = session.look(ops.GET_KEY, {"id": key.id})
    return False


def _quiet_seconds(key: Key) -> float:
    if key.last_used_at is None:
        return float("inf")
    return (datetime.now(UTC) - datetime.fromisoformat(key.last_used_at)).total_seconds()
