"""Where audit events and the log that proves them are read; the log holds every event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from retinue.server.ledger import proving
from tests.api.world import World
from tests.server_support import merkle

EVENTS, LOG = "/v1/audit-events", "/v1/audit-log"


def _log() -> str:
    merkle.append()
    log = proving.newest()
    assert log is not None
    return f"{LOG}/{log.name}"


def _event(world: World) -> str:
    merkle.append()
    return f"{EVENTS}/{world.owner.get(f'{EVENTS}?limit=1').json['items'][0]['id']}"


#: Where each operation is called, and with what.
CALLS: dict[str, Callable[[World], tuple[Any, ...]]] = {
    "list_audit_events": lambda world: (EVENTS,),
    "get_audit_event": lambda world: (_event(world),),
    "get_audit_event_proof": lambda world: (f"{_event(world)}/proof",),
    "get_audit_log": lambda world: (LOG,),
    "verify_audit_log": lambda world: (f"{LOG}/verify", {}),
    "list_audit_log_entries": lambda world: (f"{_log()}/entries",),
    "get_audit_log_consistency": lambda world: (f"{_log()}/consistency?old=0&new=0",),
}
