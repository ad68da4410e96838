"""Logs what was decided about a caller's token, and counts its use, as a node does for the API behind it.

Nodes themselves are left out: they are no accounts, and they ask all the time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.http import HttpRequest

from retinue.decision import Caller, Reason
from retinue.server.api.answers import request_id
from retinue.server.api.call import Call
from retinue.server.errors import Refused
from retinue.server.traffic import recorder
from retinue.token import redact

_REASONS = frozenset(reason.value for reason in Reason)


def log(
    request: HttpRequest, caller: Caller, reason: str | None, permission: str | None, microseconds: int
) -> None:
    """Log one decision; ``reason`` is ``None`` for an allowed one."""
    recorder.append(
        recorder.Entry(
            at_ms=time.time_ns() // 1_000_000,
            organization=caller.organization,
            account=caller.id,
            account_name=caller.name,
            account_kind=caller.kind,
            credential_id=caller.credential_id,
            allowed=reason is None,
            reason=reason,
            permission=permission,
            method=request.method,
            path=redact(request.path),
            address=request.META.get("REMOTE_ADDR"),
            client=redact(request.META.get("HTTP_USER_AGENT", "")) or None,
            revision=caller.revision,
            duration_us=microseconds,
            request_id=request_id(request),
        )
    )


@contextmanager
def logged(call: Call) -> Iterator[None]:
    """Log an admitted call when it ends, before its answer leaves: a handler may still deny it."""
    reason, permission = None, call.permission
    try:
        yield
    except Refused as refused:
        if refused.code in _REASONS:
            reason, permission = refused.code, next(iter(refused.required), permission)
        raise
    finally:
        if call.caller is not None and call.node is None:
            log(call.request, call.caller, reason, permission, call.decision_us)
