"""A request at the door, whatever the framework: what it presents, what it needs, who it is from."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from retinue import network, presented
from retinue.guard.core import Admitted, Guard
from retinue.guard.rules import GENUINE, Requirement, RuleError, Rules
from retinue.network import Gateways
from retinue.presented import Presented
from retinue.verifier import API_KINDS, Question

#: Where tokens may stand is asked anew so often.
LOOK_SECONDS = 1.0
#: Stands for a peer without an address; nobody connects from this one.
_UNIX = "0.0.0.0"  # noqa: S104


@dataclass(frozen=True, slots=True)
class Request:
    """What an adapter knows of a request. ``fields`` by name in lower case, several lines joined by commas.

    ``path`` is without the query, as it came; ``peer`` is the address of the connection.
    """

    method: str
    path: str
    fields: Mapping[bytes, bytes]
    peer: str | None = None
    #: The template of the path, where it is known, and the values of its parts.
    route: str | None = None
    parts: Mapping[str, Any] = field(default_factory=dict)


class Door:
    """Lets requests in, or raises the denial that answers them."""

    def __init__(self, guard: Guard, *, trusted_proxies: Iterable[str] = ()) -> None:
        """``trusted_proxies`` are networks whose ``X-Forwarded-For`` says for whom they ask.

        The word ``unix`` is whoever connects by a Unix socket. Raises ``ValueError`` for what is none.
        """
        self.guard = guard
        trusted = [_UNIX if each == "unix" else each for each in trusted_proxies]
        self._trusts_unix = _UNIX in trusted
        self._gateways = Gateways(network.networks(",".join(trusted)))
        self._names: tuple[bytes, ...] = ()
        self._looked = -LOOK_SECONDS

    def admit(self, request: Request, required: Iterable[Requirement] = (GENUINE,)) -> Admitted | None:
        """Return the caller of a request that fulfils all that is required; ``None`` if nobody need call.

        Raises ``Denied``. What is required of one resource is one decision; only the last is left open, the
        others are logged at once.
        """
        admitted = None
        for each in _together(required):
            if each.is_optional and self.presented(request).token is None:
                continue
            if admitted is not None:
                admitted.finish(None)
            admitted = self._decided(request, each, counts=admitted is None)
        return admitted

    def _decided(self, request: Request, required: Requirement, *, counts: bool) -> Admitted:
        """Of several permissions all are needed or one is; the first is the missing one then."""
        resource = None if required.resource is None else request.parts.get(required.resource)
        if required.resource is not None and resource is None:
            raise RuleError(f"{request.route}: no part of the path is called {required.resource!r}")
        ident = None if resource is None else str(resource)
        needs = [(name,) for name in required.need] if required.is_any else [required.need]
        return self.guard.admit(*(self.question(request, need, ident, counts=counts) for need in needs))

    def presented(self, request: Request) -> Presented:
        """Return the token that a request presents, and how."""
        return self.guard.presented(request.fields, self._header_names())

    def question(
        self,
        request: Request,
        needed: tuple[str, ...],
        resource: str | None = None,
        *,
        counts: bool = True,
    ) -> Question:
        """Return what is asked about a request; of several questions about one the first ``counts``."""
        found = self.presented(request)
        agent = request.fields.get(b"user-agent")
        return Question(
            found.token,
            needed,
            self.guard.organization,
            resource,
            self._address(request),
            request.method,
            request.path,
            found.scheme,
            API_KINDS,
            counts,
            route=request.route,
            client=None if agent is None else agent.decode("latin-1"),
        )

    def _address(self, request: Request) -> str | None:
        """Return the client's address; ``None`` if it is not known."""
        forwarded = request.fields.get(b"x-forwarded-for")
        if request.peer:
            return self._gateways.client(request.peer, forwarded)
        return self._gateways.client(_UNIX, forwarded) if self._trusts_unix and forwarded else None

    def by_rules(self, rules: Rules, request: Request) -> Admitted | None:
        """Return the caller by the rule for a request; ``None`` for what is public.

        Raises ``Denied`` for what no rule lets in: first for its token, so that strangers learn nothing of
        which paths there are.
        """
        if rules.is_public(request.method, request.path):
            return None
        rule = rules.find(request.method, request.path)
        if rule is None:
            self.refuse(request)
        return self.admit(replace(request, route=rule.pattern), (rule.required,))

    def refuse(self, request: Request) -> NoReturn:
        """Raise the denial of what nothing lets in: for its token, or because there is no rule."""
        self.guard.refuse(self.question(request, ()))

    def _header_names(self) -> tuple[bytes, ...]:
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._names = presented.header_names(self.guard.schemes())
        return self._names


def _together(required: Iterable[Requirement]) -> list[Requirement]:
    """Return what is required, with the permissions on one resource put together."""
    found: dict[object, Requirement] = {}
    for each in required:
        if each.is_public:
            continue
        key: object = each if each.is_any else (each.resource, each.is_optional)
        before = found.get(key)
        if before is not None and not each.is_any:
            each = replace(each, need=tuple(dict.fromkeys((*before.need, *each.need))))
        found[key] = each
    # Who must be somebody need not be asked whether they want to.
    needed = [each for each in found.values() if not each.is_optional]
    return needed or list(found.values())
