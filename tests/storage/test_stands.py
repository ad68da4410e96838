"""When a caller's decision is taken over into the transaction of a change, and when it is made again."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpRequest
from django.utils import timezone

from retinue.server.api import confirming
from retinue.server.api.call import Call
from retinue.server.ledger import feed as ledger
from retinue.server.ledger.feed import Position
from retinue.server.ledger.transaction import SYSTEM, reading, transaction
from tests.storage.estate import Estate, Task


def _admitted() -> Position:
    with reading():
        return ledger.position()


def _stands(at: Position | None, age: float = 0.0) -> bool:
    call = Call(HttpRequest(), admitted_at=at, started=timezone.now() - timedelta(seconds=age))
    with transaction(SYSTEM) as tx:
        call.transaction = tx
        return confirming.stands(call)


def test_a_decision_stands_while_nothing_is_committed(estate: Estate) -> None:
    """
    It was made just now, at the head that the transaction sees: then it need not be made again. A decision of
    longer ago does, and so does that of somebody who is signed in to the console, of whom no head is noted.
    """
    at = _admitted()

    assert (True, False, False) == (_stands(at), _stands(at, age=0.3), _stands(None))


def test_whatever_is_committed_by_anybody_has_it_made_again(estate: Estate) -> None:
    """
    A revoke on another connection between the decision and the transaction, of whatever key: it is not taken
    over. The same revision of another history is another head, too.
    """
    key, _ = estate.key(estate.account())
    at = _admitted()
    Task(lambda: estate.revoke(key)).result()
    after = _admitted()
    other = Position(after.epoch, after.revision, after.compacted_revision, "another")

    assert (False, False, True) == (_stands(at), _stands(other), _stands(after))
