"""``Retinue-Identity``: who calls, told to the application by a short-lived signed header.

A compact JWS (RFC 7515) with EdDSA over Ed25519 (RFC 8037), type ``retinue-identity+jwt``. The private
key never leaves the node; its public half travels with the feed. The key id is the RFC 7638 thumbprint of
the public key. A signature costs about 50 microseconds: it is made for allowed forward-auth answers only,
and once for all of a caller's requests within one second that need the same permission.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import time
from functools import lru_cache
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from retinue import pepper
from retinue.decision import Caller

FILE = "identity-key"
PREVIOUS_FILE = "identity-key.previous"
#: Seconds that a signed identity may be accepted after it was made.
LIFETIME_SECONDS = 60
ROTATE_AFTER_SECONDS = 30 * 86400
#: Seconds that the public half of a replaced key stays listed.
OVERLAP_SECONDS = 86400


class IdentityError(Exception):
    """The key file is missing, readable by others, or does not hold an Ed25519 private key."""


class Claims(msgspec.Struct, frozen=True):
    """What the application is told. ``org`` and ``sub`` are ids, ``cred`` the credential's id.

    ``rev`` is the revision that was decided by: what is said of a caller is what was true then.
    """

    iss: str
    sub: str
    name: str
    kind: str
    org: str
    cred: str
    perm: str | None
    rev: int
    iat: int
    exp: int


class PublicKey(msgspec.Struct, frozen=True):
    """The public half of a key, ``x`` as in a JWK; ``not_after_ms`` ends a replaced one (0: never)."""

    kid: str
    x: str
    not_after_ms: int = 0


class IdentityKey:
    """A node's signing key. ``kid`` and ``x`` (base64url, without padding) are public."""

    __slots__ = ("_head", "_private", "_signed", "kid", "x")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        raw = private.public_key().public_bytes_raw()
        self.x = _base64url(raw).decode()
        # RFC 7638: the required members in alphabetical order, without white space.
        thumbprint = f'{{"crv":"Ed25519","kty":"OKP","x":"{self.x}"}}'
        self.kid = _base64url(hashlib.sha256(thumbprint.encode()).digest()).decode()
        self._head = _base64url(f'{{"alg":"EdDSA","kid":"{self.kid}","typ":"retinue-identity+jwt"}}'.encode())
        self._private = private
        self._signed = lru_cache(maxsize=2048)(self._sign)

    def sign(self, claims: Claims) -> bytes:
        """Return the compact JWS over ``claims``; ASCII, whatever the account is called.

        Ed25519 is deterministic: the same claims (the same caller, permission, revision and second) give the
        same bytes, so they are signed once.
        """
        return self._signed(_encode(claims))

    def _sign(self, claims: bytes) -> bytes:
        message = self._head + b"." + _base64url(claims)
        return message + b"." + _base64url(self._private.sign(message))

    def identify(self, caller: Caller, permission: str | None, issuer: str, now: int) -> bytes:
        """Return the header's value for an allowed ``caller``; ``now`` is in seconds since 1970."""
        return self.sign(
            Claims(
                issuer,
                caller.id,
                caller.name,
                caller.kind,
                caller.organization,
                caller.credential_id,
                permission,
                caller.revision,
                now,
                now + LIFETIME_SECONDS,
            )
        )

    def __repr__(self) -> str:
        return f"<IdentityKey {self.kid}>"


def load(folder: Path) -> IdentityKey:
    """Read the key of the replica ``folder``. Raises :class:`IdentityError` if that is not possible."""
    try:
        text = pepper.read_private(folder / FILE)
        private = serialization.load_pem_private_key(text.encode(), password=None)
    except (pepper.PepperError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise IdentityError(str(error)) from None
    if not isinstance(private, Ed25519PrivateKey):
        raise IdentityError(f"{folder / FILE}: not an Ed25519 private key")
    return IdentityKey(private)


def load_or_create(folder: Path, now: float | None = None) -> IdentityKey:
    """Return the signing key of the replica ``folder``, made or replaced where that is due.

    For the follower, at its start: a key older than 30 days is replaced, and its public half stays listed
    for one day. ``now`` is in seconds since 1970; the age of a key is that of its file.
    """
    now = time.time() if now is None else now
    path = folder / FILE
    if path.exists():
        key = load(folder)
        if now - path.stat().st_mtime < ROTATE_AFTER_SECONDS:
            return key
        retired = PublicKey(key.kid, key.x, int((now + OVERLAP_SECONDS) * 1000))
        _replace(folder / PREVIOUS_FILE, msgspec.json.encode(retired))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    private = Ed25519PrivateKey.generate()
    _replace(
        path,
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
    return IdentityKey(private)


def previous(folder: Path, now_ms: int) -> PublicKey | None:
    """Return the public half of the key that was replaced last, while it is still to be listed."""
    try:
        key = msgspec.json.decode((folder / PREVIOUS_FILE).read_bytes(), type=PublicKey)
    except (OSError, msgspec.DecodeError):
        return None
    return key if now_ms < key.not_after_ms else None


def _replace(path: Path, data: bytes) -> None:
    """Write ``path`` with mode 0600: wholly or not at all, and durably."""
    draft = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    pepper.write_private(draft, data.decode())
    draft.rename(path)
    pepper.settle(path.parent)


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


_encode = msgspec.json.Encoder().encode
