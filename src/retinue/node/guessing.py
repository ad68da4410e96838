"""Networks that guess tokens are refused before anything is digested or looked up.

Whom a question is about is known only where a gateway or a service says it: the client's address. A gateway
that does not say it is not taken for its clients, or one stranger would shut out all of them.
"""

from __future__ import annotations

from retinue.attempts import Attempts
from retinue.decision import GUESSES, Decision, Denied, Reason
from retinue.network import Gateways
from retinue.node.claims import Claims
from retinue.token import parse
from retinue.verifier import Question, Verifier

_NOT_NOW = Denied(Reason.REPLICA_STALE)
_UNHEARD = Denied(Reason.RATE_LIMITED)


class Guessing:
    """The failures that one worker has seen, by the client's network."""

    def __init__(self, gateways: Gateways, brands: tuple[str, ...], claims: Claims | None = None) -> None:
        self._gateways = gateways
        self._claims = claims
        self._brands = brands
        self._attempts = Attempts()

    def decide(self, question: Question, verifier: Verifier) -> Decision:
        """Return the verifier's decision; a network that has guessed too often is refused unheard."""
        if question.address is None:
            return self._claimed(question, verifier.verify(question))
        if self._refuses(question):
            return _UNHEARD
        decision = verifier.verify(question)
        self._learn(question, decision)
        return self._claimed(question, decision)

    def _claimed(self, question: Question, decision: Decision) -> Decision:
        """Let the control plane try a token of which only a slow hash is known; until then: not now."""
        if type(decision) is not Denied or not decision.claim or self._claims is None:
            return decision
        network = self._gateways.guesser(question.address)
        return _NOT_NOW if self._claims.is_open(question.token or "", network) else decision

    def _refuses(self, question: Question) -> bool:
        network = self._gateways.guesser(question.address) if self._attempts else None
        return network is not None and self._attempts.pause(network, self._kid(question)) > 0

    def _learn(self, question: Question, decision: Decision) -> None:
        """Count a failure; a genuine token ends the row of failures for its key id."""
        network = self._gateways.guesser(question.address)
        if network is None:
            return
        if decision.caller is not None:
            kid = self._kid(question) if self._attempts else None
            if kid is not None:
                self._attempts.succeeded(network, kid)
        elif getattr(decision, "reason", None) in GUESSES:
            self._attempts.failed(network, self._kid(question))

    def _kid(self, question: Question) -> str | None:
        token = parse(question.token or "", self._brands)
        return None if token is None else token.kid
