"""Who calls, and may it: decided from headers alone, before any body is read.

The same verifier as on every node decides, over the database itself. A network that has guessed too often
is refused before either is asked.
"""

from __future__ import annotations

import time
from enum import Enum
from functools import cache, partial

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from msgspec.structs import replace

from retinue.attempts import Attempts
from retinue.decision import GUESSES, Caller, Decision, Denied, Reason
from retinue.presented import TAKEN, header_names
from retinue.presented import read as read_presented
from retinue.sealing import unseal
from retinue.server.access.catalogue import INSTALLATION
from retinue.server.api import decided, node_admission, refusals
from retinue.server.api.answers import denial_answer, problem_answer, request_id
from retinue.server.api.call import Call
from retinue.server.api.counting import counting
from retinue.server.api.forwarded import guesser
from retinue.server.credentials.actions import peppers
from retinue.server.directory import queries as directory
from retinue.server.errors import Refused
from retinue.server.ledger import feed as ledger
from retinue.server.ledger.transaction import Actor, reading
from retinue.server.nodes import feed
from retinue.server.nodes.database import DatabaseReplica
from retinue.token import Kind, parse
from retinue.verifier import CALLER_KINDS, Question, Verifier

#: Header fields in which nobody presents a token; where there are no others, none is looked for.
_USUAL = frozenset(f"HTTP_{name.upper().replace('-', '_')}" for name in TAKEN)
NODE_KINDS = frozenset({Kind.NODE.value})

#: What is answered while the history is in doubt; a credential may be in force that was revoked meanwhile.
IN_DOUBT = frozenset({"list_epochs", "get_epoch", "list_lost", "begin_epoch", "skip_journals", "get_metrics"})

attempts = Attempts()


class Access(Enum):
    """Who may use an operation that needs no permission."""

    #: Anybody, without a token.
    PUBLIC = "public"
    #: Every holder of a genuine token, about itself.
    SELF = "self"
    #: An enrolled node, with its node credential.
    NODE = "node"


class NotAllowed(Exception):
    """The caller's own token does not allow the operation; carries the answer."""

    def __init__(self, answer: HttpResponse) -> None:
        super().__init__("not allowed")
        self.answer = answer


@cache
def verifier(*, in_doubt: bool = False) -> Verifier:
    """Return the control plane's verifier; ``in_doubt`` decides also while the history is in doubt."""
    brands = (settings.INSTALLATION.brand,)
    replica = DatabaseReplica(in_doubt=in_doubt)
    return Verifier(replica, peppers(), brands=brands, unseal=unseal, take=counting.take)


def presented(request: HttpRequest) -> tuple[str | None, str]:
    """Return (token, scheme) of the one credential in the header.

    A server may join two header fields with a comma; so may a caller. Either is no scheme that is accepted.
    """
    fields = {b"authorization": _raw(request, "AUTHORIZATION")}
    names: tuple[bytes, ...] = ()
    if any(name.startswith("HTTP_") and name not in _USUAL for name in request.META):
        names = header_names(verifier().schemes())
    for name in names:
        fields[name] = _raw(request, name.decode().upper().replace("-", "_"))
    token, scheme = read_presented(fields, names)
    return token or None, scheme


def _raw(request: HttpRequest, name: str) -> bytes:
    value: str = request.META.get(f"HTTP_{name}", "")
    return value.encode("latin-1", "replace").strip()


def admit(
    request: HttpRequest, operation: str, needs: tuple[str, ...] | Access, *, undecided: bool, changes: bool
) -> Call:
    """Return the call of a caller that may use the operation.

    ``undecided`` leaves the permissions to the operation, which finds the object. Raises
    :class:`NotAllowed`.
    """
    if needs is Access.PUBLIC:
        return Call(request)
    wanted = needs if isinstance(needs, tuple) else ()
    token, scheme = presented(request)
    kinds = NODE_KINDS if needs is Access.NODE else CALLER_KINDS
    question = Question(
        token,
        () if undecided else wanted,
        address=request.META.get("REMOTE_ADDR"),
        method=request.method,
        path=request.path,
        scheme=scheme,
        kinds=kinds,
        counts=needs is not Access.NODE,
    )
    found = origin(request, token, needs)
    decider = verifier(in_doubt=needs is Access.NODE or operation in IN_DOUBT)
    began = time.perf_counter_ns()
    with reading():
        if needs is Access.NODE:
            decision = node_admission.decide(decider, question)
        else:
            decision = decider.verify(question)
        spent_us = (time.perf_counter_ns() - began) // 1000
        count(found, decision)
        if needs is Access.NODE:
            return _node(request, decision)
        if not isinstance(decision, Denied):
            call = _person(request, decision.caller)
            call.admitted_at = ledger.position() if changes else None
            call.admitted = frozenset(question.need)
            call.permission, call.decision_us, call.quota = decision.permission, spent_us, decision.quota
            call.decide = partial(decider.verify, replace(question, counts=False))
            return call
    if decision.caller is not None:
        decided.log(request, decision.caller, decision.reason.value, decision.permission, spent_us)
    raise denied(request, decision, operation if changes else None)


def denied(request: HttpRequest, decision: Denied, operation: str | None) -> NotAllowed:
    """Return the answer to a denial; of a change (``operation``) by a known caller it is an event, too."""
    if decision.reason is Reason.REPLICA_STALE:
        detail = "until the nodes have said what they know; operators find it under /v1/epochs"
        return NotAllowed(problem_answer(request, "epoch_recovering", detail=detail, retry_after=1))
    if operation and decision.reason.status in refusals.RECORDED and decision.caller is not None:
        required = () if decision.permission is None else (decision.permission,)
        refusals.record(_actor(request, decision.caller), operation, decision.reason.value, required)
    return NotAllowed(denial_answer(request, decision))


def origin(
    request: HttpRequest, token: str | None, needs: tuple[str, ...] | Access
) -> tuple[str | None, str | None]:
    """Return the network that asks, if it is known, and the key id of what it presents.

    Raises :class:`NotAllowed` for one that has guessed too often: nothing was digested or read for it. What a
    node does goes on, whoever guesses beside it: it would decide from an old state, and learn of no revoke.
    """
    network = guesser(request)
    found = parse(token or "", (settings.INSTALLATION.brand,))
    kid = None if found is None else found.kid
    if network is None:
        return network, kid
    if needs is Access.NODE and found is not None and found.kind is Kind.NODE:
        pause = attempts.pause_of_row(network, found.kid)
    else:
        pause = attempts.pause(network, kid)
    if pause:
        detail = "too many failed attempts from this network"
        raise NotAllowed(problem_answer(request, "rate_limited", detail=detail, retry_after=pause))
    return network, kid


def count(origin: tuple[str | None, str | None], decision: Decision) -> None:
    """Count a guess of the network that asked, or forget those of one that showed a genuine token."""
    network, kid = origin
    if network is None:
        return
    if decision.caller is None:
        if decision.reason in GUESSES:
            attempts.failed(network, kid)
    elif kid is not None:
        attempts.succeeded(network, kid)


def _person(request: HttpRequest, caller: Caller) -> Call:
    principal = directory.principals([caller.id]).get(caller.id)
    actor = _actor(request, caller, is_operator=principal is not None and principal.is_operator)
    return Call(request, actor, caller, principal)


def _node(request: HttpRequest, decision: Decision) -> Call:
    node = feed.node_of(decision)
    if isinstance(decision, Denied):
        raise NotAllowed(denial_answer(request, decision))
    if node is None:
        raise Refused("caller_forbidden", "this credential belongs to no node")
    actor = Actor(
        kind="node",
        id=node.id,
        name=node.name,
        organization="",
        credential=decision.caller.credential_id,
        address=request.META.get("REMOTE_ADDR") or "",
        request=request_id(request),
    )
    return Call(request, actor, decision.caller, node=node, admitted_at=ledger.position())


def _actor(request: HttpRequest, caller: Caller, *, is_operator: bool = False) -> Actor:
    return Actor(
        kind=caller.kind,
        id=caller.id,
        name=caller.name,
        organization=caller.organization,
        credential=caller.credential_id,
        address=request.META.get("REMOTE_ADDR") or "",
        request=request_id(request),
        is_operator=is_operator,
        channel="api",
    )


def check_organization(call: Call, needs: tuple[str, ...] | Access) -> None:
    """Refuse a call that is meant for another organization than the caller's.

    Operators may name any for what concerns the installation as a whole; inside another they hold nothing.
    """
    named = call.request.META.get("HTTP_RETINUE_ORGANIZATION")
    if named is None or call.principal is None or named == call.organization:
        return
    of_installation = isinstance(needs, tuple) and INSTALLATION.issuperset(needs)
    if of_installation and call.actor.is_operator and directory.exists(named):
        return
    if named != directory.organization(call.organization).handle:
        raise Refused(
            "organization_not_found", "no such organization here", field="header.Retinue-Organization"
        )
