"""Who calls the sample, in two ways; a deployment chooses one.

*Behind a gateway* the gateway has asked Retinue already and says who calls in one signed header,
``Retinue-Identity``. Only the signature is believed: a header that anybody could have typed is nothing.
*Directly* the sample asks the node itself about the token that the caller presents.
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from retinue.decision import Denied, Reason

#: How long a node may take to answer before the call is refused.
TIMEOUT_SECONDS = 2.0
#: Clocks of two hosts may differ by so much.
SKEW_SECONDS = 5
MAX_IDENTITY = 4096


@dataclass(frozen=True)
class Caller:
    """An authenticated caller: id, name, and the permission that was checked for this request."""

    id: str
    name: str
    permission: str


class Asked(NamedTuple):
    """One request: its headers, the permission that its route needs, and where it came from and goes."""

    headers: Message
    permission: str
    method: str
    path: str
    address: str


class Refused(Exception):
    """The call is refused; ``denied`` says why, ``detail`` is for the sample's operator only."""

    def __init__(self, denied: Denied, detail: str = "") -> None:
        super().__init__(detail)
        self.denied = denied


class Gateway:
    """Believes ``Retinue-Identity`` if a node signed it, for this permission, a moment ago."""

    def __init__(self, node_url: str, issuer: str = "retinue") -> None:
        self._url = f"{node_url}/v1/identity-keys"
        self._issuer = issuer
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._fetched = 0.0
        self._lock = threading.Lock()

    def caller(self, asked: Asked) -> Caller:
        """Return who calls. Raises :class:`Refused` unless exactly one valid identity is there."""
        presented = asked.headers.get_all("Retinue-Identity") or []
        if len(presented) != 1 or not presented[0]:
            raise Refused(Denied(Reason.TOKEN_MISSING), "exactly one Retinue-Identity is needed")
        claims = self._claims(presented[0])
        # A header that was signed for another permission must not open this route.
        if claims.get("perm") != asked.permission:
            raise Refused(Denied(Reason.PERMISSION_MISSING, permission=asked.permission))
        return Caller(str(claims.get("sub")), str(claims.get("name")), asked.permission)

    def _claims(self, text: str) -> dict[str, Any]:
        try:
            if len(text) > MAX_IDENTITY:
                raise ValueError("too long")
            message, _, signature = text.rpartition(".")
            head, body = (json.loads(_decode(part)) for part in message.split("."))
            if head.get("alg") != "EdDSA" or head.get("typ") != "retinue-identity+jwt":
                raise ValueError("another algorithm or type")
            self._key(head.get("kid")).verify(_decode(signature), message.encode())
            now = time.time()
            if body.get("iss") != self._issuer or not body["iat"] - SKEW_SECONDS <= now < body["exp"]:
                raise ValueError("another issuer, or not now")
        except (ValueError, TypeError, KeyError, AttributeError, InvalidSignature) as error:
            raise Refused(Denied(Reason.TOKEN_UNKNOWN), f"Retinue-Identity: {error}") from None
        return dict(body)

    def _key(self, kid: object) -> Ed25519PublicKey:
        """Return the public key ``kid``; an unknown one makes us read the list again, once a second."""
        with self._lock:
            if kid not in self._keys and time.monotonic() - self._fetched > 1.0:
                document = _call(self._url)
                self._keys = {
                    each["kid"]: Ed25519PublicKey.from_public_bytes(_decode(each["x"]))
                    for each in document["keys"]
                    if each.get("kty") == "OKP" and each.get("crv") == "Ed25519"
                }
                self._fetched = time.monotonic()
            return self._keys[str(kid)]


class Direct:
    """Asks the node about the token in ``Authorization: Bearer``."""

    def __init__(self, node_url: str) -> None:
        self._url = f"{node_url}/v1/verify"

    def caller(self, asked: Asked) -> Caller:
        """Return who calls. Raises :class:`Refused` with the node's reason otherwise."""
        presented = asked.headers.get_all("Authorization") or []
        if not presented:
            raise Refused(Denied(Reason.TOKEN_MISSING))
        scheme, _, token = presented[0].partition(" ")
        if len(presented) != 1 or scheme.lower() != "bearer":
            raise Refused(Denied(Reason.SCHEME_NOT_ACCEPTED))
        about = {"address": asked.address, "method": asked.method, "path": asked.path}
        decision = _call(self._url, {"token": token.strip(), "need": [asked.permission], **about})
        if not decision["allowed"]:
            raise Refused(Denied(Reason(decision["reason"]), permission=decision["permission"]))
        return Caller(decision["account"]["id"], decision["account"]["name"], asked.permission)


def _call(url: str, document: object = None) -> Any:
    """Ask the node. Whatever goes wrong, the call is refused: not knowing is never a yes."""
    data = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            return json.load(answer)
    except (OSError, ValueError) as error:
        raise Refused(Denied(Reason.REPLICA_STALE), f"no decision from {url}: {error}") from None


def _decode(text: str) -> bytes:
    """Read base64url without padding; raises ``ValueError`` for anything else."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
