"""Who may ask this node for decisions, when it listens to more than its own machine.

A caller is not the one whom a decision is about: it is the gateway or service that asks. It sends a
service account's own token, with the permission ``decision:ask``, in ``Retinue-Caller``. A refusal here is
not a decision, and has codes of its own so that nobody takes it for one.
"""

from __future__ import annotations

from time import perf_counter_ns

from retinue.decision import Allowed, Reason
from retinue.network import LOOPBACK, Gateways
from retinue.node.decisions import FORWARD_AUTH, Decisions
from retinue.node.exchange import Request
from retinue.node.guessing import Guessing
from retinue.node.responses import Responses
from retinue.node.settings import Settings
from retinue.problem import problem
from retinue.token import Kind
from retinue.verifier import Question, UnknownPermission

PERMISSION = "decision:ask"
#: Each question of a caller would double the request log. Once in so many seconds is enough for "last used".
LOGGED_EVERY_SECONDS = 30.0
_SERVICE = frozenset({Kind.API_KEY.value})
_FORBIDDEN = frozenset({Reason.PERMISSION_MISSING, Reason.KIND_NOT_ACCEPTED})
_FOR_NOW = frozenset({Reason.REPLICA_STALE, Reason.RATE_LIMITED})
_REMEMBERED = 1024


class Callers:
    """Refuses to answer those who may not ask."""

    def __init__(self, decisions: Decisions, responses: Responses, settings: Settings) -> None:
        self._decisions = decisions
        self._responses = responses
        # By the peer's network, apart from those whom decisions are about: clients who guess and a service in
        # their network are not one. A gateway that is known does not bear what is done beside it.
        self._guessing = Guessing(Gateways((*settings.trusted_proxies, *LOOPBACK)), settings.brands)
        self._logged: dict[str, float] = {}

    def guard(self, request: Request) -> bytes | None:
        """Return the refusal, or ``None`` if this caller may ask. Decided anew for each request."""
        started = perf_counter_ns()
        token = request.fields.get(b"retinue-caller", b"").strip(b" \t").decode("latin-1")
        question = Question(token, (PERMISSION,), address=request.peer, kinds=_SERVICE, counts=False)
        try:
            decision = self._guessing.decide(question, self._decisions.verifier)
        except UnknownPermission:
            return self._refuse(request, "caller_forbidden", f"{PERMISSION} is not declared")
        if isinstance(decision, Allowed):
            now = started / 1e9
            if (
                now - self._logged.get(decision.caller.credential_id, -LOGGED_EVERY_SECONDS)
                >= LOGGED_EVERY_SECONDS
            ):
                if len(self._logged) >= _REMEMBERED:
                    self._logged.clear()
                self._logged[decision.caller.credential_id] = now
                self._decisions.record(decision, question, request, started)
            return None
        self._decisions.record(decision, question, request, started)
        if decision.reason in _FOR_NOW:
            return self._refuse(request, decision.reason.value, "Retinue-Caller")
        code = "caller_forbidden" if decision.reason in _FORBIDDEN else "caller_required"
        return self._refuse(request, code, f"Retinue-Caller: {decision.reason.value}")

    def _refuse(self, request: Request, code: str, detail: str | None) -> bytes:
        required = (PERMISSION,) if code == "caller_forbidden" else ()
        # A gateway passes the status on to its client, whose token was not looked at: no decision, 503.
        is_gateway = request.target.startswith(FORWARD_AUTH)
        status = 503 if is_gateway else None
        ident = self._decisions.ids.next()
        found = problem(code, status=status, detail=detail, required=required, request_id=ident)
        if is_gateway:
            return self._responses.forwarded_problem(found)
        challenge = ((b"WWW-Authenticate", b'Retinue-Caller realm="retinue"'),) if found.status == 401 else ()
        return self._responses.problem(found, *challenge)
