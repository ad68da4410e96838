"""Who may follow a relay: nodes that are enrolled, with their credentials.

The relay decides about those as the control plane does, by the records of nodes that it has and no other
node: a node that was removed is refused from the moment on at which the relay has heard of it.
"""

from __future__ import annotations

from retinue import presented
from retinue.attempts import Attempts
from retinue.decision import GUESSES, Allowed, Decision, Denied, Reason
from retinue.network import LOOPBACK, Gateways
from retinue.node.exchange import Request
from retinue.node.relay import Relay
from retinue.problem import Problem, problem, problem_for
from retinue.replica.records import Node
from retinue.token import Kind as TokenKind
from retinue.token import parse
from retinue.verifier import Question as TokenQuestion
from retinue.verifier import Verifier

_UNHEARD = Denied(Reason.RATE_LIMITED)
_NODE = frozenset({TokenKind.NODE.value})


class RelayRequest(Request):
    """A request with the node that sends it."""

    __slots__ = ("asker", "credential_id", "expires_at_ms", "token")

    asker: Node

    def __init__(self, peer: str) -> None:
        super().__init__(peer)
        self.credential_id = self.token = ""
        self.expires_at_ms = 0


class Refused(Exception):
    """A request that is answered with a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


class Admission:
    """Decides who asks."""

    def __init__(self, relay: Relay, verifier: Verifier, brands: tuple[str, ...]) -> None:
        self._relay = relay
        self._verifier = verifier
        self._brands = brands
        self._gateways = Gateways(LOOPBACK)
        self._attempts = Attempts()

    def admit(self, request: RelayRequest) -> None:
        """Note in ``request`` which node sends it. Raises :class:`Refused`, and ``lmdb.Error``."""
        token, scheme = presented.authorization(request.fields.get(b"authorization"))
        asked = TokenQuestion(token, scheme=scheme, kinds=_NODE, address=request.peer)
        decision = self._decide(asked)
        node = None if decision.caller is None else self._node(decision.caller.credential_id)
        if node is not None and node.state == "removed":
            raise Refused(_removed(node))
        if isinstance(decision, Denied):
            raise Refused(problem_for(decision))
        assert isinstance(decision, Allowed)  # noqa: S101  (for the type checker)
        if node is None or token is None:
            raise Refused(problem("caller_forbidden", detail="this credential belongs to no node"))
        request.asker, request.token = node, token
        request.credential_id = decision.caller.credential_id
        request.expires_at_ms = decision.caller.expires_at_ms

    def _decide(self, asked: TokenQuestion) -> Decision:
        """Decide, unless the network has guessed too often.

        What a node does goes on, whoever guesses beside it: it would decide from an old state, and learn of
        no revoke. Only guesses of its own secret count against its token.
        """
        network = self._gateways.guesser(asked.address)
        if network is None:
            return self._verifier.verify(asked)
        token = parse(asked.token or "", self._brands)
        kid = None if token is None else token.kid
        if token is not None and token.kind is TokenKind.NODE:
            pause = self._attempts.pause_of_row(network, token.kid)
        else:
            pause = self._attempts.pause(network, kid)
        if pause:
            return _UNHEARD
        decision = self._verifier.verify(asked)
        if isinstance(decision, Denied) and decision.caller is None:
            if decision.reason in GUESSES:
                self._attempts.failed(network, kid)
        elif kid is not None:
            self._attempts.succeeded(network, kid)
        return decision

    def check(self, request: RelayRequest) -> None:
        """Refuse a node that was removed while its poll was held."""
        node = self._node(request.credential_id)
        if node is None or node.state == "removed":
            raise Refused(_removed(request.asker))

    def _node(self, credential_id: str) -> Node | None:
        with self._relay.reading() as snapshot:
            return snapshot.node(credential_id)


def check_relay(node: Node) -> None:
    """Refuse a node that speaks as if it were a relay."""
    if not node.relay:
        detail = f"{node.name} may not relay; enrol it with --relay"
        raise Refused(problem("caller_forbidden", detail=detail, field="relay"))


def _removed(node: Node) -> Problem:
    return problem("node_removed", detail=f"the node {node.name} was removed; enrol it again")
