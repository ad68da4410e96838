"""The table of operations, and what happens around each of them.

An operation states method, path, permission, what it takes and what it answers. Routes, guard and OpenAPI
document derive from it; one that states no permission does not start. A change runs in one ledger
transaction, opened here, so that its idempotency record commits with it; after the commit the call waits
for the connected nodes.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Schema

from retinue.decision import Allowed, Caller, Denied, Reason
from retinue.server.api import authentication, idempotency
from retinue.server.api.answers import denial_answer, json_answer
from retinue.server.api.schemas import AnyAnswer
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Actor, Transaction, transaction
from retinue.server.nodes import barrier

from retinue.server.nodes.queries import Node, by_credential
from retinue.verifier import CALLER_KINDS

BARRIER_SECONDS = 1.0


class Access(Enum):
    """Who may use an operation that needs no permission."""

    #: Anybody, without a token.
    PUBLIC = "public"
    #: Every holder of a genuine token, about itself.
    SELF = "self"
    #: An enrolled node, with its node credential.
    NODE = "node"


@dataclass(slots=True)
class Call:
    """One call of an operation: who calls, and the open transaction of a change."""

    request: HttpRequest
    actor: Actor
    caller: Caller | None = None
    node: Node | None = None
    transaction: Transaction | None = None
    #: Set by a handler whose answer holds a token: the credential that it belongs to.
    credential: str = ""
    #: The caller lacks the permission and may act on its own credentials alone.
    only_own: bool = False
    now: datetime = datetime.min

    @property
    def organization(self) -> str:
        """Id of the organization whose objects exist for this caller."""
        return self.actor.organization

    @property
    def tx(self) -> Transaction:
        """The open ledger transaction. Only operations that change something have one."""
        if self.transaction is None:
            raise RuntimeError("this operation reads; it has no transaction")
        return self.transaction


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of the table."""

    name: str
    method: str
    path: str
    permission: str | Access
    status: int
    tag: str
    summary: str
    response: Any
    changes: bool
    own: bool
    view: Callable[..., HttpResponse]


OPERATIONS: list[Operation] = []
Handler = Callable[..., Any]


def operation(
    method: str,
    path: str,
    *,
    permission: str | Access,
    response: Any,
    status: int = 200,
    tag: str,
    changes: bool | None = None,
    own: bool = False,
) -> Callable[[Handler], Handler]:
    """Put a handler into the table. Its first parameter is the :class:`Call`; the rest is path, query, body.

    ``own``: a caller without the permission may still act on its own credentials; the handler looks at
    ``call.only_own``.
    """

    def register(handler: Handler) -> Handler:
        change = method not in ("GET", "HEAD") if changes is None else changes
        summary = (inspect.getdoc(handler) or "").splitlines()[0].rstrip(".")
        view = _view(handler, permission, status, response, handler.__name__, change)
        OPERATIONS.append(
            Operation(
                handler.__name__, method, path, permission, status, tag, summary, response, change, own, view
            )
        )
        return handler

    return register


def _view(
    handler: Handler, permission: str | Access, status: int, response: Any, name: str, changes: bool
) -> Callable[..., HttpResponse]:
    hints = typing.get_type_hints(handler, include_extras=True)
    parameters = list(inspect.signature(handler).parameters.values())[1:]

    @functools.wraps(handler)
    def view(request: HttpRequest, **arguments: Any) -> HttpResponse:
        _check_query(request, parameters, hints)
        call: Call = request.retinue_call  # type: ignore[attr-defined]
        call.now = timezone.now()
        if not changes:
            return _answer(response, handler(call, **arguments), status)
        return _change(call, name, lambda: _body(response, handler(call, **arguments)), status)

    view.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=HttpRequest)]
        + [each.replace(annotation=hints[each.name]) for each in parameters]
    )
    del view.__wrapped__  # type: ignore[attr-defined]
    return view


def _change(call: Call, name: str, run: Callable[[], Any], status: int) -> HttpResponse:
    """Run a change in its transaction, remember its answer, and wait for the connected nodes."""
    request = call.request
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    replayed = False
    with transaction(call.actor) as tx:
        call.transaction = tx
        if key is None or call.node is not None:
            body = run()
        else:
            mark = idempotency.fingerprint(request.method or "", request.get_full_path(), request.body)
            record, is_new = idempotency.claim(tx, idempotency.check(key), name, mark)
            if is_new:
                body = run()
                idempotency.remember(record, status, body, call.credential)
            else:
                body, replayed, status = idempotency.replay(tx, record), True, record.status
    answer = json_answer(body, status)
    if replayed:
        answer["Idempotency-Replayed"] = "true"
    if tx.revision is not None:
        barrier.wait(tx.revision, BARRIER_SECONDS)
        answer["Retinue-Revision"] = str(tx.revision)
    return answer


def _body(response: Any, result: Any) -> Any:
    if isinstance(response, type) and issubclass(response, Schema) and response is not AnyAnswer:
        return response.model_validate(result).model_dump(mode="json")
    return result


def _answer(response: Any, result: Any, status: int) -> HttpResponse:
    return result if isinstance(result, HttpResponse) else json_answer(_body(response, result), status)


def _check_query(request: HttpRequest, parameters: list[inspect.Parameter], hints: dict[str, Any]) -> None:
    """Refuse query parameters that the operation does not know, and those that stand twice."""
    known: set[str] = set()
    for each in parameters:
        kind = typing.get_args(hints[each.name])
        model = kind[0] if kind else hints[each.name]
        if isinstance(model, type) and issubclass(model, Schema):
            known |= {info.alias or name for name, info in model.model_fields.items()}
    is_query = any(typing.get_args(hints[each.name]) for each in parameters)
    for name, values in request.GET.lists():
        if not is_query or name not in known:
            raise Refused("unknown_field", "this operation has no such parameter", field=f"query.{name[:64]}")
        if len(values) > 1:
            raise Refused("invalid_value", "stands twice", field=f"query.{name}")


def guard(permission: str | Access, own: bool = False) -> Callable[[HttpRequest], bool]:
    """Return what ninja calls before it reads anything of a request but its headers."""

    def authenticate(request: HttpRequest) -> bool:
        request.retinue_call = _authenticated(request, permission, own)  # type: ignore[attr-defined]
        return True

    return authenticate


class NotAllowed(Exception):
    """The caller's own token does not allow the operation; carries the answer."""

    def __init__(self, answer: HttpResponse) -> None:
        super().__init__("not allowed")
        self.answer = answer


def _authenticated(request: HttpRequest, permission: str | Access, own: bool) -> Call:
    if permission is Access.PUBLIC:
        return Call(request, Actor(kind="anonymous", id="", name="", organization=""))
    kinds = authentication.NODE_KINDS if permission is Access.NODE else CALLER_KINDS
    need = (permission,) if isinstance(permission, str) else ()
    decision = authentication.decide(request, need, kinds)
    only_own = own and isinstance(decision, Denied) and decision.reason is Reason.PERMISSION_MISSING
    if only_own:
        decision = authentication.decide(request, (), kinds)
    if isinstance(decision, Denied):
        raise NotAllowed(denial_answer(request, decision))
    assert isinstance(decision, Allowed)
    _check_organization(request, decision.caller)
    if permission is Access.NODE:
        node = by_credential(decision.caller.credential_id)
        if node is None:
            raise Refused("caller_forbidden", "this credential belongs to no node")
        acting = Actor("node", node.id, node.name, "", decision.caller.credential_id, request=_id(request))
        return Call(request, acting, decision.caller, node)
    return Call(request, authentication.actor(request, decision.caller), decision.caller, only_own=only_own)


def _id(request: HttpRequest) -> str:
    found: str = getattr(request, "retinue_id", "")
    return found


def _check_organization(request: HttpRequest, caller: Caller) -> None:
    named = request.META.get("HTTP_RETINUE_ORGANIZATION")
    if named is None:
        return
    from retinue.server.directory.queries import organization

    own = organization(caller.organization)
    if named not in (own.id, own.handle):
        raise Refused(
            "organization_not_found", "no such organization here", field="header.Retinue-Organization"
        )
