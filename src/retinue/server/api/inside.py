"""Operations called in this process by a person who is signed in to the console.

It is the same operation as over HTTP: the same permissions and rules, the same refusals, events and receipts.
Only who calls is known from a session instead of a token, and what is sent from a form instead of JSON.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
from django.db import InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse
from pydantic import BaseModel

from retinue.decision import Denied
from retinue.server.api import errors, limits, reading, strict_json
from retinue.server.api.answers import problem_answer
from retinue.server.api.call import Call
from retinue.server.api.guard import IN_DOUBT, NotAllowed, verifier
from retinue.server.api.operations import OPERATIONS, Access, Operation
from retinue.server.directory.queries import Principal
from retinue.server.errors import Refused
from retinue.server.ledger import feed as ledger
from retinue.server.ledger.transaction import Actor
from retinue.server.ledger.transaction import reading as one_state
from retinue.server.policies import remembering
from retinue.verifier import Question


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an operation answered: its status and body; ``code`` is that of a problem, or empty."""

    status: int
    body: dict[str, Any]

    @property
    def is_done(self) -> bool:
        """Whether it was not refused. A change may still have to reach nodes: see its receipt."""
        return self.status < 400

    @property
    def code(self) -> str:
        """The code of the problem."""
        return "" if self.is_done else str(self.body["code"])


def call(
    request: HttpRequest,
    principal: Principal,
    actor: Actor,
    name: str,
    *,
    path: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    body: dict[str, Any] | None = None,
    held: frozenset[str] | None = None,
) -> Outcome:
    """Call the operation ``name`` for ``principal`` and return what it answers; it raises for bugs alone.

    ``held`` are its permissions, where they were read for this page. A change reads them anew, in its own
    transaction.
    """
    operation = _table()[name]
    made = Call(request, actor, principal=principal)
    if held is not None and not operation.changes:
        made.__dict__["held"] = held
    return _outcome(_answer(operation, made, path or {}, query or {}, body or {}))


def needs(name: str) -> tuple[str, ...]:
    """Return the permissions that an operation needs."""
    needed = _table()[name].needs
    return () if isinstance(needed, Access) else needed


@dataclass(frozen=True, slots=True)
class Verified:
    """What the verifier says of a token: accepted, or the reason; of whom, and how long it took."""

    reason: str | None
    account: str
    expires_at_ms: int
    revision: int
    microseconds: int


def verified(token: str, organization: str) -> Verified:
    """Verify a token as a node does, over the database itself. Nothing is logged, and no use is counted.

    Of a token of another organization no more is said than of an unknown one.
    """
    began = time.perf_counter_ns()
    with remembering.reads(False), one_state():  # as it stands now, whatever the page has read before
        decision = verifier().verify(Question(token, scheme=None, counts=False))
    spent = (time.perf_counter_ns() - began) // 1000
    caller = decision.caller
    if caller is None or caller.organization != organization:
        return Verified("token_unknown", "", 0, 0, spent)
    reason = decision.reason.value if isinstance(decision, Denied) else None
    return Verified(reason, caller.name, caller.expires_at_ms, caller.revision, spent)


@cache
def _table() -> dict[str, Operation]:
    return {each.name: each for each in OPERATIONS}


def _answer(
    operation: Operation, made: Call, path: dict[str, str], query: dict[str, str], body: dict[str, Any]
) -> HttpResponse:
    request = made.request
    try:
        with limits.timed(request), limits.in_flight(made, operation.needs):
            if operation.name not in IN_DOUBT and _is_in_doubt(request, anew=operation.changes):
                detail = "until the nodes have said what they know; operators find it under /v1/epochs"
                return problem_answer(request, "epoch_recovering", detail=detail)
            if not operation.changes:
                operation.check_needs(made)
            return operation.perform(
                made, path, _read(operation.query, query, "query"), _read(operation.body, body, "body")
            )
    except NotAllowed as refused:
        return refused.answer
    except (Refused, OperationalError, InterfaceError, InternalError) as error:
        return errors.answer(request, error)


def _is_in_doubt(request: HttpRequest, *, anew: bool) -> bool:
    """Tell whether the history is in doubt; a page that reads several times looks once."""
    known: bool | None = getattr(request, "retinue_in_doubt", None)
    if known is None or anew:
        head = ledger.position() if anew else remembering.once("head", ledger.position)
        known = head.is_recovering or head.has_moved
        request.retinue_in_doubt = known  # type: ignore[attr-defined]
    return known


def _read(model: Any, given: dict[str, Any], where: str) -> Any:
    """Check what a form gave by the rules for what programs send: texts first, then the model."""
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return None
    return reading.validated(model, strict_json.checked(given, where), where)


def _outcome(answer: HttpResponse) -> Outcome:
    return Outcome(answer.status_code, msgspec.json.decode(answer.content))
