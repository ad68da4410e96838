"""Networks that guess tokens are refused before anything is digested or looked up.

Whom a question is about is known only where a gateway or a service says it: the client's address. A gateway
that does not say it is not taken for its clients, or one stranger would shut out all of them.
"""

from __future__ import annotations

from retinue.attempts import Attempts
from retinue.decision import GUESSES, Decision
from retinue.network import Gateways, neighbourhood
from retinue.token import parse
from retinue.verifier import Question


class Guessing:
    """The failures that one worker has seen, by the client's network."""

    def __init__(self, gateways: Gateways, brands: tuple[str, ...]) -> None:
        self._gateways = gateways
        self._brands = brands
        self._attempts = Attempts()

    def refuses(self, question: Question) -> bool:
        """Tell whether the client's network has guessed so often that this question is not looked at."""
        address = question.address
        if address is None or self._gateways.trusts(address) or not self._attempts:
            return False
        return self._attempts.pause(neighbourhood(address), self._kid(question)) > 0

    def learn(self, question: Question, decision: Decision) -> None:
        """Count a failure; a genuine token ends the row of failures for its key id."""
        address = question.address
        if address is None or self._gateways.trusts(address):
            return
        if decision.caller is not None:
            kid = self._kid(question) if self._attempts else None
            if kid is not None:
                self._attempts.succeeded(neighbourhood(address), kid)
        elif getattr(decision, "reason", None) in GUESSES:
            self._attempts.failed(neighbourhood(address), self._kid(question))

    def _kid(self, question: Question) -> str | None:
        token = parse(question.token or "", self._brands)
        return None if token is None else token.kid
