"""The two ways to ask for a decision over HTTP: the question as JSON, and a gateway's sub-request.

Each decision about a genuine token is written to the request log's spool; strangers are only counted, so
that nobody can fill the log. An error never allows: it is an answer 500, and gateways keep the door closed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from time import perf_counter_ns

import msgspec

from retinue import presented
from retinue.decision import Allowed, Decision, Denied, Reason
from retinue.kept import Known
from retinue.node import presentation, questions
from retinue.node.answer import answer_for
from retinue.node.asked import AskedAgain, Telling
from retinue.node.claims import Claims, asking
from retinue.node.entries import entry_for
from retinue.node.exchange import Head, Request
from retinue.node.guessing import Guessing
from retinue.node.identity import IdentityKey
from retinue.node.metrics import Metrics
from retinue.node.presentation import Gateways
from retinue.node.questions import OPENING, is_word
from retinue.node.responses import Responses, decided
from retinue.node.settings import Settings
from retinue.presented import PATH, Presented
from retinue.problem import Problem, problem, problem_for
from retinue.request_ids import RequestIds
from retinue.usage import Spool
from retinue.verifier import API_KINDS, Question, UnknownOrganization, UnknownPermission, Verifier

FORWARD_AUTH = b"/v1/forward-auth/"
#: The meaning of so many bodies is kept, but for their tokens.
MAX_ASKED = 256
_OPENED = len(OPENING)
log = logging.getLogger("retinue.node")
_encode = msgspec.json.Encoder().encode


class Refused(Exception):
    """A forward-auth call that cannot be decided, for a reason that is the gateway's or the client's path."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


class Decisions:
    """Decides, answers, counts and logs. ``verifier`` and ``identity`` are exchanged while it works."""

    def __init__(
        self, settings: Settings, verifier: Verifier, spool: Spool, metrics: Metrics, responses: Responses
    ) -> None:
        self.verifier = verifier
        self.identity: IdentityKey | None = None
        self.schemes: tuple[str, ...] = ()
        self.header_names: tuple[bytes, ...] = ()
        self.ids = RequestIds()
        #: What stands around the token in a body, and what that asks.
        self._asked: dict[bytes, Question] = {}
        self._issuer = settings.issuer
        self._spool = spool
        self._metrics = metrics
        self._responses = responses
        self.tell = Telling(spool, metrics, responses).tell
        self._gateways = Gateways(settings.trusted_proxies)
        self.claims = Claims(asking(settings))
        self._guessing = Guessing(self._gateways, settings.brands, self.claims)

    def verify(self, request: Request) -> bytes:
        """``POST /v1/verify``: every decision is 200; any other status means that none was made."""
        started = perf_counter_ns()
        data, head = request.body, request.head
        if head is not None:
            head.again = None
        try:
            presented, _, rest = data[_OPENED:].partition(b'"')
            question = self._asked.get(rest) if data.startswith(OPENING) else None
            token = None if question is None else self.verifier.read_bytes(presented)
            if question is None or not (token or is_word(presented)):
                question = self._question(data)
                decision = self._guessing.decide(question, self.verifier)
            elif token is None:
                refused = self.mistyped(presented, question, started)
                if refused is not None:
                    self._expect(head, question, rest, doubts=True)
                    return refused
                question = msgspec.structs.replace(question, token=presented.decode())
                decision = self._guessing.decide(question, self.verifier)
            else:
                found = self.verifier.recall(presented, question) or self.verifier.look(question, token)
                if isinstance(found, Known):
                    self._expect(head, question, rest, doubts=False)
                    return self.tell(found, question, started)
                decision = found
        except questions.Refused as error:
            return self._responses.problem(self._identified(error.problem))
        except UnknownPermission as error:
            return self._unknown("permission_unknown", "body.need", error.name)
        except UnknownOrganization as error:
            return self._unknown("organization_unknown", "body.organization", error.name)
        request_id = None
        if decision.caller is None and isinstance(decision, Denied):
            self._metrics.count(decision.reason, True, perf_counter_ns() - started)
        else:
            request_id = self.record(decision, question, None, started)
        return self._responses.decision(_encode(answer_for(decision, question, request_id)))

    def _question(self, data: bytes) -> Question:
        """Read a body. What stands around the token in a plain one is kept with what it means."""
        body = questions.read(data)
        use = (body.address, body.method, body.path, body.scheme)
        need, of = body.need or (), body.organization
        facts = (body.attributes, body.route, body.client)
        question = Question(body.token, need, of, body.resource, *use, API_KINDS, True, *facts)
        rest = questions.around(data, body)
        if rest is not None:
            # What strangers can fill is emptied when it is full.
            if len(self._asked) >= MAX_ASKED:
                self._asked.clear()
            self._asked[rest] = msgspec.structs.replace(question, token=None)
        return question

    def _expect(self, head: Head | None, question: Question, rest: bytes, *, doubts: bool) -> None:
        """The next request with this header block may ask the same as this one."""
        if head is not None:
            head.again = AskedAgain(head, question, rest, self, doubts=doubts).answer

    def mistyped(self, presented: bytes, question: Question, started: int) -> bytes | None:
        """Refuse what is no token, if the same question was refused before; ``None`` if it was not."""
        if not is_word(presented):
            return None
        garbage = self.verifier.garbage(question, presented.decode())
        if garbage is None:
            return None
        if not garbage.told:
            garbage.told = decided(_encode(answer_for(garbage.decision, question)))
        self._metrics.count(garbage.decision.reason, True, perf_counter_ns() - started)
        return self._responses.start + garbage.told

    def forward_auth(self, request: Request) -> bytes:
        """``/v1/forward-auth/<permission>[@organization]``: may the request behind this one pass?"""
        started = perf_counter_ns()
        try:
            question, decision = self._forwarded_decision(request)
        except Refused as refused:
            return self._responses.forwarded_problem(self._identified(refused.problem))
        except UnknownPermission as error:
            return self._misconfigured("permission_unknown", error.name)
        except UnknownOrganization as error:
            return self._misconfigured("organization_unknown", error.name)
        if type(decision) is Allowed:
            if self.identity is not None:
                self.record(decision, question, request, started)
                signed = self.identity.identify(
                    decision.caller, decision.permission, self._issuer, int(time.time())
                )
                return self._responses.forwarded(signed, decision)
            # Without a key nothing can be proved to the application: as if there were no replica yet.
            decision = Denied(Reason.REPLICA_STALE)
        assert isinstance(decision, Denied)  # noqa: S101  (for the type checker)
        request_id = self.record(decision, question, request, started)
        return self._responses.forwarded_problem(problem_for(decision, request_id), decision)

    def _forwarded_decision(self, request: Request) -> tuple[Question, Decision]:
        """Decide about the token in the header; about one in the path only if there is no other."""
        question = self._forwarded_question(request)
        if question.token is None and question.path and PATH in self.schemes:
            for token, path in presentation.tokens_in_path(question.path):
                asked = msgspec.structs.replace(question, token=token, path=path, scheme=PATH)
                decision = self._guessing.decide(asked, self.verifier)
                if decision.caller is not None:
                    return asked, decision
        return question, self._guessing.decide(question, self.verifier)

    def _forwarded_question(self, request: Request) -> Question:
        path, _, _ = request.target.partition(b"?")
        segment, slash, rest = path[len(FORWARD_AUTH) :].partition(b"/")
        needed = presentation.need(segment)
        if needed.permission is None:
            raise Refused(problem("permission_unknown", status=500, detail="name one permission in the path"))
        if not needed.organization_valid:
            raise Refused(problem("organization_unknown", status=500, detail="after @ comes an organization"))
        method, original = self._original(request, slash + rest)
        fields = request.fields
        token, scheme = self._presented(fields, needed.organization)
        if token is None and presentation.token_in_query(
            request.target + b"&" + fields.get(b"x-forwarded-uri", b"")
        ):
            token, scheme = "-", presented.REFUSED
        address = self._gateways.client(request.peer, fields.get(b"x-forwarded-for"))
        need = (needed.permission,)
        organization = needed.organization
        return Question(token, need, organization, None, address, method, original, scheme, API_KINDS)

    def _presented(self, fields: Mapping[bytes, bytes], organization: str | None) -> Presented:
        """Return the one credential in the header. A field means something only to who asks for it."""
        names = self.header_names
        if not names:
            return presented.authorization(fields.get(b"authorization"))
        if organization is not None:
            names = presented.header_names(self.verifier.schemes(organization))
        return presented.read(fields, names)

    def accept(self, schemes: tuple[str, ...]) -> None:
        """Look for tokens where some organization lets them stand from now on."""
        self.schemes = schemes
        self.header_names = presented.header_names(schemes)

    def _original(self, request: Request, rest: bytes) -> tuple[str | None, str | None]:
        """Return method and path of the request behind this one.

        What follows the permission in the path was put there by the gateway's own configuration (Envoy)
        and wins; header fields count only from a configured gateway.
        """
        if rest:
            method: bytes | None = request.method
            path: bytes | None = rest
        elif self._gateways.trusts(request.peer):
            method = request.fields.get(b"x-forwarded-method")
            path = request.fields.get(b"x-forwarded-uri")
        else:
            return None, None
        if path is not None:
            path, _, _ = path.partition(b"?")
            if path[:1] != b"/" or presentation.is_ambiguous(path):
                raise Refused(problem("path_refused", detail="the path of the original request"))
        if method is not None and not presentation.is_method(method):
            raise Refused(problem("bad_request", detail="the method of the original request"))
        return method.decode() if method else None, path.decode() if path else None

    def record(
        self, decision: Decision, question: Question, request: Request | None, started: int
    ) -> str | None:
        """Count a decision and, for a genuine token, log it. Returns the id under which a denial is found."""
        nanoseconds = perf_counter_ns() - started
        caller = decision.caller
        if type(decision) is Allowed:
            reason = request_id = None
        else:
            reason = decision.reason  # type: ignore[union-attr]
            request_id = self.ids.next()
        self._metrics.count(reason, caller is None, nanoseconds)
        entry = entry_for(decision, question, request, nanoseconds, request_id)
        if entry is None:
            return request_id
        try:
            logged = self._spool.append(entry)
        except (OSError, ValueError):
            logged = self._not_logged()
        if not logged:
            self._metrics.dropped()
        return request_id

    def _not_logged(self) -> bool:
        """Say why. Verification goes on when the disk does not; the loss is counted."""
        log.exception("the request log could not be written")
        return False

    def _identified(self, found: Problem) -> Problem:
        return msgspec.structs.replace(found, request_id=self.ids.next())

    def _unknown(self, code: str, field: str, name: str) -> bytes:
        detail = f"{name[:128]!r} does not exist"
        return self._responses.problem(problem(code, field=field, detail=detail, request_id=self.ids.next()))

    def _misconfigured(self, code: str, name: str) -> bytes:
        found = problem(code, status=500, detail=f"{name[:128]!r} does not exist", request_id=self.ids.next())
        return self._responses.forwarded_problem(found)
