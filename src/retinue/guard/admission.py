"""A request at the door, whatever the framework: what it presents, what it needs, who it is from."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from retinue import network, presented
from retinue.guard.core import Guard, Need
from retinue.guard.outcome import Caller, missing
from retinue.guard.rules import Rules
from retinue.network import Gateways
from retinue.verifier import API_KINDS, Question

#: Where tokens may stand is asked anew so often.
LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Request:
    """What an adapter knows of a request. ``fields`` by name in lower case, several lines joined by commas.

    ``path`` is without the query, as it came; ``peer`` is the address of the connection.
    """

    method: str
    path: str
    fields: Mapping[bytes, bytes]
    peer: str | None = None


class Door:
    """Lets requests in, or raises the denial that answers them."""

    def __init__(self, guard: Guard, *, trusted_proxies: Iterable[str] = ()) -> None:
        """``trusted_proxies`` are networks whose ``X-Forwarded-For`` says for whom they ask."""
        self.guard = guard
        self._gateways = Gateways(network.networks(",".join(trusted_proxies)))
        self._names: tuple[bytes, ...] = ()
        self._looked = -LOOK_SECONDS

    def admit(self, request: Request, need: Need = None, *, resource: str | None = None) -> Caller:
        """Return the caller of a request that may pass. Raises ``Denied``."""
        return self.guard.answer(self.question(request, need, resource=resource))

    def question(self, request: Request, need: Need = None, *, resource: str | None = None) -> Question:
        """Return what is asked about a request."""
        found = presented.read(request.fields, self._header_names())
        address = None
        if request.peer is not None:
            address = self._gateways.client(request.peer, request.fields.get(b"x-forwarded-for"))
        needed = () if need is None else (need,) if isinstance(need, str) else tuple(need)
        return Question(
            found.token,
            needed,
            self.guard.organization,
            resource,
            address,
            request.method,
            request.path,
            found.scheme,
            API_KINDS,
        )

    def by_rules(self, rules: Rules, request: Request) -> Caller | None:
        """Return the caller by the rule for a request; ``None`` for what is public.

        Raises ``Denied`` for what no rule lets in: first for its token, so that strangers learn nothing of
        which paths there are.
        """
        if rules.is_public(request.method, request.path):
            return None
        rule = rules.find(request.method, request.path)
        caller = self.admit(request, None if rule is None else rule.need)
        if rule is None:
            raise missing()
        return caller

    def _header_names(self) -> tuple[bytes, ...]:
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._names = presented.header_names(self.guard.schemes())
        return self._names
