"""What happens around a change: one ledger transaction, the idempotency record in it, and the nodes.

The answer leaves after the commit, and after the connected nodes have applied it or a second has passed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError
from django.http import HttpResponse

from retinue.server.api import idempotency, limits, refusals
from retinue.server.api.answers import json_answer
from retinue.server.api.call import Call
from retinue.server.errors import Refused
from retinue.server.ledger import feed as ledger
from retinue.server.ledger.transaction import transaction
from retinue.server.nodes import barrier

BARRIER_SECONDS = 1.0
_log = logging.getLogger("retinue.api")


def run(
    call: Call,
    operation: str,
    sent: object,
    status: int,
    decide: Callable[[], None],
    handle: Callable[[], Any],
    objects: str,
) -> HttpResponse:
    """Run ``handle`` in its transaction and answer its body, or the body that a first call was given.

    ``decide`` refuses who may not do this now, whatever was answered before. ``sent`` is what was sent,
    ``objects`` the ids in the address. Raises :class:`Refused`; by then nothing is written but the event that
    says so.
    """
    key = idempotency.key_of(call.request)
    if key is not None:
        idempotency.look(call.actor.id, key)
    replayed: idempotency.Replay | None = None
    body: Any = None
    try:
        with transaction(call.actor) as tx:
            call.transaction = tx
            decide()
            if key is not None:
                mark = idempotency.fingerprint(call.request, sent)
                replayed = idempotency.claim(tx, key, operation, mark)
            if replayed is None:
                body = handle()
                if key is not None:
                    idempotency.remember(tx, key, status, body, call.credential)
    except Refused as refused:
        refusals.note(call.actor, operation, refused, objects)
        raise
    revision = tx.revision or (0 if replayed is None else replayed.revision)
    _await_nodes(call, revision)
    if replayed is None:
        return _answer(body, status, revision)
    answer = _answer(replayed.body, replayed.status, revision)
    answer["Idempotency-Replayed"] = "true"
    return answer


def _await_nodes(call: Call, revision: int) -> None:
    """The change is committed: a database that fails now must not make it look refused.

    Who repeats a call waits as the first one did, whose process may have been killed before the nodes knew.
    Where a repetition changed nothing (0), what it found may be as young as the head.
    """
    # The last look comes when the time is over.
    limits.allow(call.request, 1.5 * BARRIER_SECONDS)
    try:
        barrier.wait(revision or ledger.position().revision, BARRIER_SECONDS)
    except DatabaseError as error:
        _log.warning("barrier of %d: %s, request %s", revision, type(error).__name__, call.actor.request)


def _answer(body: Any, status: int, revision: int) -> HttpResponse:
    answer = json_answer(body, status)
    if revision:
        answer["Retinue-Revision"] = str(revision)
    return answer
