"""Tells who calls an API behind a gateway, from the signed header ``Retinue-Identity`` alone and offline.

The gateway has asked a node, and the node has signed whom it let in: ``Guard(decider=Identities(URL))``
believes that signature, in every adapter. Nothing is asked per request; public keys are read now and then.

What a signature says holds for at most 60 s, whatever is revoked meanwhile, and it is bound to a permission,
not to a request: who gets hold of a header can repeat it for so long, for what needs the same permission. So
no one but the gateway may reach the application, and the header belongs into no log.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import OKPKey
from joserfc.util import urlsafe_b64decode

from retinue import decision, presented
from retinue.decision import Allowed, Reason
from retinue.guard.core import Need, needed
from retinue.guard.deciding import Log, Refused
from retinue.guard.identity_keys import IdentityError, Keys
from retinue.guard.outcome import Caller, Denied, caller_of
from retinue.presented import Presented
from retinue.verifier import Question

HEADER = "Retinue-Identity"
TYPE = "retinue-identity+jwt"
#: How long the signature of a node may say that it holds; what claims more is refused.
LIFETIME_SECONDS = 60
#: Clocks of two hosts may differ by so much.
SKEW_SECONDS = 5
_LONGEST = 4096
_ALGORITHM = "EdDSA"
_REMEMBERED = 1024
_log = logging.getLogger("retinue.guard")


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    """The protected header: which key signed it, and what it is."""

    alg: str
    kid: str
    typ: str


class _Claims(msgspec.Struct):
    """What a node says of a caller."""

    iss: str
    sub: str
    name: str
    kind: str
    org: str
    cred: str
    iat: int
    exp: int
    perm: str | None = None
    rev: int = 0


class _Registry(jws.JWSRegistry):
    """The one algorithm. (The library warns of its name, which RFC 9864 would have be Ed25519.)"""

    def get_alg(self, name: str) -> Any:
        """Return the algorithm. Raises ``UnsupportedAlgorithmError`` for any other."""
        if name != _ALGORITHM:
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


_REGISTRY = _Registry()


class Identities:
    """Decides from ``Retinue-Identity``, for a guard or by :meth:`caller`. Safe with threads."""

    #: The list of keys may be waited for.
    waits = True

    def __init__(
        self, keys: str | Path | Keys, *, issuer: str = "retinue", organization: str | None = None
    ) -> None:
        """``keys`` as in :class:`Keys`; ``issuer`` is the nodes' ``RETINUE_ISSUER``.

        ``organization`` is the id of the one that is protected: whoever is of another one is unknown then.
        """
        self._keys = keys if isinstance(keys, Keys) else Keys(keys)
        self._issuer = issuer
        self._organization = organization
        #: Headers whose signature holds, and by which key; what they say is looked at each time.
        self._verified: dict[str, tuple[OKPKey, _Claims]] = {}

    def caller(self, header: str | None, need: Need = None) -> Caller:
        """Return who calls by the value of the header, if it was signed for ``need``. Raises :class:`Denied`.

        Several lines of the header, joined by commas, are none.
        """
        decided = self.decide(Question(header, needed(need)))
        if isinstance(decided, Allowed):
            return caller_of(decided, None)
        raise Denied(decided.decision)

    def decide(self, question: Question) -> Allowed | Refused:
        """Decide; what is not proved is denied, and the log says why."""
        if not question.token:
            return Refused(decision.Denied(Reason.TOKEN_MISSING))
        try:
            claims = self._proved(question.token)
            self._check_organization(claims, question.organization)
        except IdentityError as error:
            _log.warning("%s refused: %s", HEADER, error)
            return Refused(decision.Denied(error.reason))
        told = (claims.kind, claims.sub, claims.name, claims.org, claims.cred, claims.rev)
        caller = decision.Caller(*told)
        for name in question.need:
            # What was signed for another permission opens nothing here.
            if name != claims.perm:
                _log.warning("%s refused: signed for %s, not for %s", HEADER, claims.perm, name)
                return Refused(decision.Denied(Reason.PERMISSION_MISSING, caller, name))
        if question.resource is not None:
            return Refused(decision.Denied(Reason.RESOURCE_NOT_COVERED, caller, claims.perm))
        return Allowed(caller, claims.perm)

    def hold(self, question: Question) -> tuple[Allowed | Refused, Log]:
        """Decide. The node has logged the request already."""
        return self.decide(question), _log_nothing

    def presented(self, fields: Mapping[bytes, bytes]) -> Presented:
        """Return the one credential that counts here; a token of the client is no business of this one."""
        value = fields.get(HEADER.lower().encode(), b"").strip(b" \t")
        return Presented(value.decode("latin-1"), "identity") if value else presented.NOTHING

    def schemes(self, organization: str | None) -> tuple[str, ...]:
        """Return the schemes of tokens: none is accepted here."""
        return ()

    def close(self) -> None:
        """Nothing is open."""

    def _proved(self, text: str) -> _Claims:
        """Return what a header says, if a node says it now. Raises :class:`IdentityError`."""
        head = _head(text)
        key = self._keys.find(head.kid)
        known = self._verified.get(text)
        if known is not None and known[0] is key:
            claims = known[1]
        else:
            claims = _signed(text, key)
            if len(self._verified) >= _REMEMBERED:
                self._verified.clear()
            self._verified[text] = key, claims
        self._check(claims)
        return claims

    def _check_organization(self, claims: _Claims, asked: str | None) -> None:
        """Only the id of an organization is signed: a guard that names its handle lets nobody in."""
        for protected in (self._organization, asked):
            if protected is not None and claims.org != protected:
                told = f"of the organization with the id {claims.org!r}, not {protected!r}"
                raise IdentityError(Reason.TOKEN_UNKNOWN, told)

    def _check(self, claims: _Claims) -> None:
        now = time.time()
        if claims.iss != self._issuer:
            raise IdentityError(Reason.TOKEN_UNKNOWN, f"from {claims.iss!r}, not from {self._issuer!r}")
        if not 0 < claims.exp - claims.iat <= LIFETIME_SECONDS:
            raise IdentityError(Reason.TOKEN_UNKNOWN, "holds for longer than a node says")
        if now >= claims.exp + SKEW_SECONDS:
            raise IdentityError(Reason.CREDENTIAL_EXPIRED, "over; do the clocks agree?")
        if now < claims.iat - SKEW_SECONDS:
            raise IdentityError(Reason.TOKEN_UNKNOWN, "from the future; do the clocks agree?")


def _head(text: str) -> _Head:
    if len(text) > _LONGEST or text.count(".") != 2 or not text.isascii():
        raise IdentityError(Reason.TOKEN_MALFORMED, "not one compact JWS")
    try:
        head = msgspec.json.decode(urlsafe_b64decode(text.partition(".")[0].encode()), type=_Head)
    except (ValueError, JoseError) as error:
        raise IdentityError(Reason.TOKEN_MALFORMED, f"its header: {error}") from None
    if head.alg != _ALGORITHM or head.typ != TYPE:
        raise IdentityError(Reason.TOKEN_MALFORMED, f"{head.alg} {head.typ}, not {_ALGORITHM} {TYPE}")
    return head


def _signed(text: str, key: OKPKey) -> _Claims:
    try:
        verified = jws.deserialize_compact(text, key, registry=_REGISTRY)
        return msgspec.json.decode(verified.payload, type=_Claims)
    except (JoseError, ValueError) as error:
        raise IdentityError(Reason.TOKEN_UNKNOWN, f"{error}") from None


def _log_nothing(status: int | None, instead: Refused | None = None) -> None:
    """The node has logged it."""
