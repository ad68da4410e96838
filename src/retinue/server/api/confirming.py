"""Whether who calls may still do so: between the headers and the commit of a change others commit theirs.

It is decided in the transaction of the change, unless nothing was committed since the token was. On
PostgreSQL others commit while that transaction is open, too: so it is looked once more with the head locked,
and where something was taken from the caller meanwhile, all is rolled back and begun again as a new call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from django.db import OperationalError, connection

from retinue.decision import Denied
from retinue.replica.records import Kind
from retinue.server.access import queries as access
from retinue.server.api import guard
from retinue.server.api.answers import denial_answer
from retinue.server.api.call import CONSOLE, Call
from retinue.server.credentials import present
from retinue.server.directory import queries as directory
from retinue.server.errors import Refused
from retinue.server.ledger import feed as ledger
from retinue.server.ledger.transaction import reading

Made = TypeVar("Made")

#: So long ago may a decision be that no end by the clock has come since which anybody could tell.
JUST_NOW = timedelta(seconds=0.25)
#: So often is a change begun whose caller loses something each time.
MOST_TRIES = 4
# Of what was committed after a revision and took access away: 2 if it concerns one of three records, else 1.
_REDUCED = """
SELECT MAX(CASE WHEN (kind, key) IN ((%s, %s), (%s, %s), (%s, %s)) THEN 2 ELSE 1 END)
FROM ledger_change WHERE revision > %s AND reduces
"""


class Overtaken(Exception):
    """Something was taken from the caller while its change was made. Raised to take that back."""


def stands(call: Call) -> bool:
    """Tell, inside the transaction of a change, whether what was decided about the caller still holds: it was
    decided just now, and nothing has been committed since. Then there is nothing to decide again.

    Whatever is decided from now on is confirmed at the commit, if others commit meanwhile.
    """
    head = ledger.position()
    if call.caller is not None or call.principal is not None:
        call.tx.rely(head.revision, lambda: _confirm_at_commit(call, head.revision))
    return head == call.admitted_at and call.now - call.started <= JUST_NOW


def confirm(call: Call) -> None:
    """Decide again, inside the transaction of a change: between the headers and now a body was awaited.

    Raises :class:`NotAllowed` if the credential is not in force any more, and :class:`Refused` for a person
    who may not sign in, or has no session, any more.
    """
    if call.caller is None:
        _confirm_person(call)
        return
    reason = present.ended(call.actor.credential, call.now)
    if reason is not None:
        raise guard.NotAllowed(denial_answer(call.request, Denied(reason, call.caller)))


def _confirm_person(call: Call) -> None:
    """The same for a person without a token, who is signed in to the console."""
    if call.principal is not None and not directory.is_enabled(call.principal.id):
        raise Refused("account_disabled", "this user, or the organization, is disabled")
    if not _has_session(call):
        raise Refused("step_up_required", "this session has ended; sign in again")


def _has_session(call: Call) -> bool:
    session = getattr(call.request, "session", None)
    if call.actor.channel != CONSOLE or session is None or session.session_key is None:
        return True
    return bool(session.exists(session.session_key))


def _confirm_at_commit(call: Call, revision: int) -> None:
    """Raise :class:`Overtaken` if something was taken from the caller after ``revision``."""
    own = [Kind.ORGANIZATION.value, call.organization, Kind.PRINCIPAL.value, call.actor.id]
    own += [Kind.CREDENTIAL.value, call.actor.credential.partition("_")[2]]
    with connection.cursor() as cursor:
        cursor.execute(_REDUCED, [*own, revision])
        taken = cursor.fetchone()[0]
    if taken == 2 or not _has_session(call):
        raise Overtaken
    # It may have been a role or a group of the caller; what it was not asked for it may have lost.
    if taken and call.principal is not None and not call.relied <= access.effective(call.principal):
        raise Overtaken


def until_it_holds(call: Call, operation: str, make: Callable[[], Made]) -> Made:
    """Make a change, and begin again where something was taken from its caller before the commit.

    The caller is decided about anew, as at a new call: raises :class:`NotAllowed` and :class:`Refused` as
    that would, and ``OperationalError`` for one that loses something each time.
    """
    for _ in range(MOST_TRIES):
        try:
            return make()
        except Overtaken:
            _decide_anew(call, operation)
    raise OperationalError("what the caller holds changes all the time")


def _decide_anew(call: Call, operation: str) -> None:
    call.forget()
    with reading():
        decision = None if call.decide is None else call.decide()
        call.principal = directory.principals([call.actor.id]).get(call.actor.id)
    if isinstance(decision, Denied):
        raise guard.denied(call.request, decision, operation)
    is_operator = call.principal is not None and call.principal.is_operator
    call.actor = replace(call.actor, is_operator=is_operator)
