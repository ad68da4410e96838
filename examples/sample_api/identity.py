"""Trusts who the gateway says is calling: verifies ``Retinue-Identity`` with the node's public keys."""

from __future__ import annotations

import base64
import json
import time
import urllib.request
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TYPE = "retinue-identity+jwt"


class NotTrusted(Exception):
    """The header is missing, forged, expired, or not an identity."""


class Identities:
    """Verifies identities; fetches the public keys when it meets a key id that it does not know."""

    def __init__(self, node_url: str) -> None:
        self._url = f"{node_url}/v1/identity-keys"
        self._keys: dict[str, Ed25519PublicKey] = {}

    def verify(self, header: str | None) -> dict[str, Any]:
        """Return the claims of a compact JWS (RFC 7515, EdDSA). Raises :class:`NotTrusted`."""
        try:
            protected, payload, signature = (header or "").split(".")
            fields = json.loads(_bytes(protected))
            if fields.get("alg") != "EdDSA" or fields.get("typ") != TYPE:
                raise NotTrusted("not an identity")
            self._key(str(fields.get("kid"))).verify(_bytes(signature), f"{protected}.{payload}".encode())
            claims: dict[str, Any] = json.loads(_bytes(payload))
        except (ValueError, InvalidSignature):
            raise NotTrusted("the signature does not hold") from None
        if not float(claims.get("iat", 0)) - 5 <= time.time() < float(claims.get("exp", 0)):
            raise NotTrusted("expired")
        return claims

    def _key(self, kid: str) -> Ed25519PublicKey:
        if kid not in self._keys:
            with urllib.request.urlopen(self._url, timeout=5) as answer:
                listed = json.load(answer)["keys"]
            self._keys = {key["kid"]: Ed25519PublicKey.from_public_bytes(_bytes(key["x"])) for key in listed}
        if kid not in self._keys:
            raise NotTrusted("signed by an unknown key")
        return self._keys[kid]


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
