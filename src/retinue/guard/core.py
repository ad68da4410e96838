"""``Guard``: one object a process, which tells whether a token may do something."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from msgspec import structs

from retinue import decision, presented, settings
from retinue.decision import Allowed, Reason
from retinue.guard.deciding import Decider, Log, Refused, new_id
from retinue.guard.local import Local, Places
from retinue.guard.outcome import Asking, Caller, Denied, caller_of, fields_of
from retinue.guard.remote import Remote
from retinue.kept import Known
from retinue.presented import Presented
from retinue.token import DEFAULT_BRAND
from retinue.verifier import API_KINDS, Question

if TYPE_CHECKING:
    from retinue.guard.testing import FakeGuard

Need = str | Iterable[str] | None


@dataclass(frozen=True, slots=True)
class Admitted:
    """A caller that is let in; ``finish`` logs it, once, with the status that the host answered."""

    caller: Caller
    finish: Log


class GuardError(Exception):
    """A guard cannot be made: it finds neither a replica on this host nor a node to ask."""


class Guard:
    """Tells whether a token may do something, now.

    It decides in this process from the replica of the host's node (``replica``, ``RETINUE_REPLICA``, or the
    one in ``RETINUE_HOME``); or asks a node (``node_url``, ``RETINUE_NODE_URL``). ``organization`` (id or
    handle) is the one that is protected: tokens of others are unknown then. Without a running lease nothing
    is allowed. Raises :class:`GuardError` if there is neither, and ``retinue.pepper.PepperError`` if the
    pepper beside the replica cannot be read.
    """

    def __init__(
        self,
        organization: str | None = None,
        *,
        replica: str | Path | None = None,
        node_url: str | None = None,
        decider: Decider | None = None,
    ) -> None:
        self.organization = organization
        self._decider = decider or _found(replica, node_url)

    def verify(
        self,
        token: str | None,
        need: Need = None,
        *,
        resource: str | None = None,
        attributes: Mapping[str, str] | None = None,
        address: str | None = None,
        method: str | None = None,
        path: str | None = None,
        scheme: str | None = "bearer",
    ) -> Caller:
        """Return the caller if ``token`` has every permission in ``need``. Raises :class:`Denied`.

        ``need`` is a permission or several; ``None`` asks for a genuine token alone. ``resource`` and
        ``attributes`` say on what; ``address``, ``method`` and ``path`` of the request are asked for by
        networks and by credentials that are narrowed to endpoints. ``scheme`` says how the token was
        presented, ``None`` that it does not matter. Raises ``UnknownPermission`` or
        ``UnknownOrganization`` for what does not exist: a mistake in the program.
        """
        question = Question(
            token,
            needed(need),
            self.organization,
            resource,
            address,
            method,
            path,
            scheme,
            API_KINDS,
            attributes=attributes,
        )
        return self.answer(question)

    def answer(self, question: Question) -> Caller:
        """Return the caller that may do what a question asks. Raises as :meth:`verify`."""
        decided = self._decider.decide(question)
        if isinstance(decided, Known):
            if not decided.fields:
                decided.fields = fields_of(decided.decision)
            return Caller(*decided.fields, self._asking(question))  # type: ignore[call-arg]
        if not isinstance(decided, Allowed):
            raise _denied(decided)
        return self._caller(decided, question)

    def admit(self, question: Question, *others: Question) -> Admitted:
        """Return the caller that may do what a question asks, or one of ``others``, and what logs it.

        Raises as :meth:`verify`: the denial of the first question, which is logged at once, as its status is
        known.
        """
        decided, log = self._decider.hold(question)
        if isinstance(decided, Allowed):
            return Admitted(self._caller(decided, question), log)
        for other in others:
            also, log_also = self._decider.hold(other)
            if isinstance(also, Allowed):
                return Admitted(self._caller(also, other), log_also)
        denied = _denied(decided)
        log(denied.status)
        raise denied

    def refuse(self, question: Question) -> NoReturn:
        """Raise the denial of a request that nothing lets in: for its token, or because there is no rule."""
        decided, log = self._decider.hold(structs.replace(question, counts=False))
        if isinstance(decided, Allowed):
            denial = decision.Denied(Reason.ENDPOINT_NOT_ALLOWED, decided.caller, None, decided.terms)
            decided = Refused(denial, new_id())
        denied = _denied(decided)
        log(denied.status, decided)
        raise denied

    def _caller(self, decided: Allowed, question: Question) -> Caller:
        return caller_of(decided, self._asking(question))

    def _asking(self, question: Question) -> Asking:
        def ask(need: str) -> Caller:
            # The same call, which has been counted.
            return self.answer(structs.replace(question, need=needed(need), counts=False))

        return ask

    def schemes(self) -> tuple[str, ...]:
        """Return how tokens may be presented here, as ``credentials.schemes`` calls it."""
        return self._decider.schemes(self.organization)

    @classmethod
    def fake(cls) -> FakeGuard:
        """Return a guard for tests, which knows the tokens that it is asked for."""
        from retinue.guard.testing import FakeGuard

        return FakeGuard()

    @property
    def decider(self) -> Decider:
        """What decides."""
        return self._decider

    @property
    def is_remote(self) -> bool:
        """Whether a decision waits for the network: then it does not belong into an event loop's thread."""
        return isinstance(self._decider, Remote) or bool(getattr(self._decider, "waits", False))

    def presented(self, fields: Mapping[bytes, bytes], names: Iterable[bytes]) -> Presented:
        """Return the one credential in ``fields`` of a request; ``names`` are further places for one."""
        own = getattr(self._decider, "presented", None)
        found: Presented = presented.read(fields, names) if own is None else own(fields)
        return found

    def close(self) -> None:
        """Let go of what is open."""
        self._decider.close()


def needed(need: Need) -> tuple[str, ...]:
    """Return the permissions that are asked for; of an empty list one that nobody has declared."""
    if need is None:
        return ()
    if isinstance(need, str):
        return (need,)
    # Where a list came out empty by mistake, everybody with a token would be let in.
    return tuple(need) or ("",)


def _denied(refused: Refused) -> Denied:
    return Denied(refused.decision, refused.request_id)


def _found(replica: str | Path | None, node_url: str | None) -> Decider:
    """Return what decides here, by arguments first and then by the environment."""
    if _stand_in is not None:
        return _stand_in
    environ = os.environ
    home = environ.get("RETINUE_HOME")
    if replica is None and node_url is None:
        replica = environ.get("RETINUE_REPLICA") or None
        node_url = None if replica else environ.get("RETINUE_NODE_URL") or None
        if replica is None and node_url is None and home:
            replica = Path(home) / "replica"
    if replica is not None:
        folder = Path(replica)
        beside = Path(home) if home else folder.parent
        return Local(
            Places(
                folder,
                Path(environ.get("RETINUE_PEPPER_FILE") or beside / "pepper"),
                Path(environ.get("RETINUE_SPOOL") or beside / "spool"),
                settings.variable(environ, "RETINUE_BRANDS", _brands, (DEFAULT_BRAND,)),
            )
        )
    if node_url is None:
        raise GuardError(
            "no replica and no node: set RETINUE_REPLICA (or RETINUE_HOME) on a host with a node, "
            "or RETINUE_NODE_URL"
        )
    token_file = environ.get("RETINUE_CALLER_TOKEN_FILE")
    return Remote(node_url, caller_token_file=None if token_file is None else Path(token_file))


_stand_in: Decider | None = None


@contextmanager
def standing_in(decider: Decider) -> Iterator[None]:
    """Let ``decider`` decide for each guard that is made meanwhile: in tests, or to read rules."""
    global _stand_in
    before, _stand_in = _stand_in, decider
    try:
        yield
    finally:
        _stand_in = before


def _brands(text: str) -> tuple[str, ...]:
    return tuple(settings.brand(part.strip()) for part in text.split(","))
