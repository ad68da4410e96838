"""What happens around a change: one ledger transaction, the idempotency record in it, and the nodes.

The answer leaves after the commit. A change that takes access away is waited for on every node, until its
receipt is complete or the caller wants its answer (``Prefer``); any other one until the connected nodes have
applied it, for a second at most.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import DatabaseError, IntegrityError
from django.http import HttpResponse

from retinue.server.api import confirming, idempotency, limits, refusals, trying, waiting
from retinue.server.api.answers import json_answer
from retinue.server.api.call import Call
from retinue.server.errors import Refused
from retinue.server.ledger import feed as ledger
from retinue.server.ledger.transaction import Transaction, transaction
from retinue.server.nodes import barrier, receipts

BARRIER_SECONDS = 1.0
_log = logging.getLogger("retinue.api")


@dataclass(frozen=True, slots=True)
class Asked:
    """A change that is asked for: what was sent, the ids in the address, the status of its answer."""

    operation: str
    sent: object
    status: int
    objects: str
    #: It may take access away.
    reduces: bool


@dataclass(frozen=True, slots=True)
class _Made:
    """What came of a change: its transaction, and its body, or that of the call that it repeats."""

    tx: Transaction
    body: Any
    replayed: idempotency.Replay | None


def run(call: Call, asked: Asked, decide: Callable[[], None], handle: Callable[[], Any]) -> HttpResponse:
    """Run ``handle`` in its transaction and answer its body, or the body that a first call was given.

    ``decide`` refuses who may not do this now, whatever was answered before. Raises :class:`Refused`; by then
    nothing is written but the event that says so.
    """
    wanted = waiting.preferred_wait(call.request)
    is_try = trying.is_wanted(call.request, asked.operation)
    key = None if is_try else idempotency.key_of(call.request)
    if key is not None:
        idempotency.look(call.actor.id, key)
    try:
        begin = partial(_make, call, asked, decide, handle, key, is_try=is_try)
        made = confirming.until_it_holds(call, asked.operation, begin)
    except trying.Tried as tried:
        return trying.answer(tried, asked.status)
    except Refused as refused:
        if not is_try or trying.is_noted(refused):
            refusals.note(call.actor, asked.operation, refused, asked.objects)
        raise
    except IntegrityError as error:
        if not _is_lost_race(error):
            raise
        lost = Refused("duplicate_name", "another change took this name at the same moment")
        if not is_try:
            refusals.note(call.actor, asked.operation, lost, asked.objects)
        raise lost from None
    replayed = made.replayed
    revision = made.tx.revision or (0 if replayed is None else replayed.revision)
    ended = (replayed.body if replayed else made.body).get("id") if asked.reduces and not revision else None
    standing = _await_nodes(call, revision, ended, wanted, reduces=asked.reduces)
    if replayed is None:
        return _answer(made.body, asked.status, revision, standing, wanted)
    answer = _answer(replayed.body, replayed.status, revision, standing, wanted)
    answer["Idempotency-Replayed"] = "true"
    return answer


def _make(
    call: Call,
    asked: Asked,
    decide: Callable[[], None],
    handle: Callable[[], Any],
    key: str | None,
    *,
    is_try: bool,
) -> _Made:
    replayed: idempotency.Replay | None = None
    body: Any = None
    with transaction(call.actor, reason=call.reason) as tx:
        call.transaction = tx
        decide()
        if key is not None:
            mark = idempotency.fingerprint(call.request, asked.sent)
            replayed = idempotency.claim(tx, key, asked.operation, mark)
        if replayed is None:
            body = handle()
            if is_try:
                raise trying.Tried(body)
            if key is not None:
                idempotency.remember(tx, key, asked.status, body, call.credential)
    return _Made(tx, body, replayed)


def _is_lost_race(error: IntegrityError) -> bool:
    """Two callers at once took the same name: the constraint decided, and this one lost.

    PostgreSQL gives the class of the violation (23505), SQLite only a text.
    """
    return getattr(error.__cause__, "sqlstate", "") == "23505" or "UNIQUE constraint" in str(error)


@dataclass(frozen=True, slots=True)
class _Standing:
    """What may be promised of a committed change; ``receipt`` is ``None`` if it took no access away."""

    receipt: receipts.Receipt | None
    is_known: bool = True

    @property
    def is_promised(self) -> bool:
        """Whether the change holds as far as it has to for an answer 200."""
        return self.is_known and (self.receipt is None or self.receipt.state == "complete")


def _await_nodes(
    call: Call, revision: int, ended: str | None, wanted: float | None, *, reduces: bool
) -> _Standing:
    """Wait until the change holds everywhere, if it took access away; or until connected nodes have it.

    The change is committed: a database that fails now must not make it look refused, nor promised. Who
    repeats a call waits as the first one did, whose process may have been killed before the nodes knew.
    Where a repetition changed nothing (0), what it found may be the work of any change whose receipt is
    pending, and as young as the head; ``ended`` is the object whose own receipt it gets if none is.
    """
    limits.allow(call.request, BARRIER_SECONDS + limits.START_SECONDS)
    try:
        if revision:
            receipt = receipts.opened_by(call.tx) if call.tx.revision else receipts.of_revision(revision)
        elif reduces:
            receipt = receipts.pending_of(call.organization, ended)
            if receipt is None and ended is not None:
                receipt = receipts.of_object(ended, call.organization)
        else:
            receipt = None
        longest = waiting.longest_wait(receipt)
        # The last look comes when the time is over.
        limits.allow(call.request, longest + BARRIER_SECONDS + limits.START_SECONDS)
        if receipt is None:
            barrier.wait(revision or ledger.position().revision, BARRIER_SECONDS)
        elif receipt.state == "pending":
            seconds = longest if wanted is None else min(wanted, longest)
            receipt = waiting.follow(receipt, seconds, call.actor.id)
    except DatabaseError as error:
        _log.warning("nodes at %d: %s, request %s", revision, type(error).__name__, call.actor.request)
        return _Standing(None, is_known=not reduces)
    return _Standing(receipt)


def _answer(body: Any, status: int, revision: int, standing: _Standing, wanted: float | None) -> HttpResponse:
    """Answer the body with the receipt of a change that took access away; not promised yet, it is 202."""
    receipt = standing.receipt
    status = status if standing.is_promised else 202
    if receipt is None:
        answer = json_answer(body, status)
    else:
        answer = json_answer({**body, "receipt": waiting.render(receipt)}, status)
        if receipt.state == "pending":
            answer["Location"] = f"/v1/receipts/{receipt.id}"
        if wanted is not None:
            answer["Preference-Applied"] = f"wait={wanted:g}"
    if revision:
        answer["Retinue-Revision"] = str(revision)
    return answer
