"""Decides about the credentials of nodes, which ask all the time, and again after every change.

The verifier decides over the database, as for any caller. What it allowed holds on until one of the records
that it read from changes, or the credential ends: the list of changes tells, the same by which nodes learn of
them. So a decision that is remembered here is as good as one that is made anew in the same read.
"""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass

from django.db import connection

from retinue.decision import Allowed, Decision
from retinue.replica.records import Kind
from retinue.server.ledger import feed as ledger
from retinue.server.ledger.feed import Position
from retinue.verifier import Question, Verifier

#: Most credentials that are remembered in a process.
MOST = 4_096
_CHANGED = """
SELECT 1 FROM ledger_change WHERE revision > %s AND revision <= %s
  AND ((kind = %s AND key = %s) OR (kind = %s AND key = %s) OR kind = %s) LIMIT 1
"""


@dataclass(slots=True)
class _Remembered:
    decision: Allowed
    #: Up to here nothing has changed it.
    epoch: int
    revision: int


_remembered: dict[tuple[object, ...], _Remembered] = {}
_lock = threading.Lock()


def decide(verifier: Verifier, question: Question) -> Decision:
    """Decide a question of a node, inside an open consistent read."""
    token = hashlib.sha256((question.token or "").encode("utf-8", "surrogatepass")).digest()
    place = (
        str(connection.settings_dict["NAME"]), token,
        question.scheme, question.address, question.method, question.path,
    )  # fmt: skip
    head = ledger.position()
    with _lock:
        found = _remembered.get(place)
    if found is not None and _holds(found, head):
        return found.decision
    decision = verifier.verify(question)
    if isinstance(decision, Allowed) and decision.caller is not None:
        with _lock:
            if len(_remembered) >= MOST:
                _remembered.clear()
            _remembered[place] = _Remembered(decision, head.epoch, head.revision)
    return decision


def _holds(found: _Remembered, head: Position) -> bool:
    """Tell whether a decision is what would be decided at the head; note that it is."""
    caller = found.decision.caller
    now_ms = time.time_ns() // 1_000_000
    if any(0 < ends_ms <= now_ms for ends_ms in (caller.expires_at_ms, caller.retires_at_ms)):
        return False
    if head.epoch != found.epoch or found.revision < head.compacted_revision:
        return False
    if head.revision < found.revision:
        return False
    if head.revision > found.revision:
        kid = caller.credential_id.partition("_")[2]
        with connection.cursor() as cursor:
            cursor.execute(
                _CHANGED,
                [
                    found.revision, head.revision,
                    Kind.CREDENTIAL.value, kid, Kind.ORGANIZATION.value, caller.organization,
                    Kind.SCHEMES.value,
                ],
            )  # fmt: skip
            if cursor.fetchone() is not None:
                return False
        found.revision = head.revision
    return True
