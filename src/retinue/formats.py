"""The formats of tokens beside the native one: mint, read without state, show.

Whatever its form, a token is decided by the keyed digest of the whole string. A ``pair`` names its key id
in front, as the native form does; ``jwt``, ``uuid`` and ``sk_hex`` are found by that digest. A ``jwt`` is
only another spelling of a random secret: it is well formed, nobody has the key that signed it, and nobody
reads its claims.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import time
import uuid
from base64 import urlsafe_b64encode
from enum import StrEnum
from typing import NamedTuple

from retinue.token import (
    CHECKSUM_LENGTH,
    DEFAULT_BRAND,
    SECRET_LENGTH,
    SECRET_TOKEN_SCHEME,
    Kind,
    Token,
    checksum,
    draw,
    draw_kid,
    is_kid,
    mint,
)

#: Longest text that can be a token of any format, and shortest of a format that is not ours.
MAX_LENGTH = 512
MIN_FOREIGN_LENGTH = 16
#: Most last characters of a token that are ever shown.
MAX_MASK = 5
_SK = "sk:"
_SK_BYTES = 32


class Format(StrEnum):
    """How the tokens of an organization are spelled (``credentials.format``)."""

    NATIVE = "native"
    PAIR = "pair"
    JWT = "jwt"
    UUID = "uuid"
    SK_HEX = "sk_hex"
    #: The spelling of another system, whose token was imported by its digest. Nothing is minted so.
    IMPORTED = "imported"

    @property
    def names_key(self) -> bool:
        """Whether the token names its key id. Where it does not, a lookup record finds the credential."""
        return self in (Format.NATIVE, Format.PAIR)


#: The formats in which tokens are made here.
MINTED = tuple(each for each in Format if each is not Format.IMPORTED)


class Other(NamedTuple):
    """A text that may be a token, though not a native one of a brand of this deployment.

    ``kid`` is the key id that it names, if it does, and ``kind`` the kind. ``ours`` tells whether one of our
    formats looks so; anything else can only be a token that another system made.
    """

    whole: bytes
    kid: str
    kind: str
    ours: bool


def mint_as(form: Format, kind: Kind, brand: str = DEFAULT_BRAND, kid: str | None = None) -> Token:
    """Make a new token in a format. Its secret has 256 random bits (``uuid``: 122).

    ``kid`` keeps the key id of a credential whose secret is replaced; without it a new one is drawn.
    ``brand`` stands in native tokens alone. Raises ``ValueError`` for a brand or kid outside the grammar.
    """
    if form not in MINTED:
        raise ValueError("format: none that is minted here")
    if form is Format.NATIVE:
        return mint(kind, brand, kid)
    if kid is None:
        kid = draw_kid()
    elif not is_kid(kid):
        raise ValueError("kid: 12 base62 characters")
    text = _MINTS[form](kid)
    return Token(brand, kind, kid, text, display(form, brand, kind, kid))


def _pair(kid: str) -> str:
    return f"{kid}:{draw(SECRET_LENGTH)}"


def _jwt(kid: str) -> str:
    """A JWS (RFC 7515) with HMAC-SHA-256 under a random key that exists for this line alone."""
    claims = {"jti": kid, "iat": int(time.time())}
    parts: tuple[object, ...] = ({"alg": "HS256", "typ": "JWT"}, claims)
    signed = b".".join(_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    signature = hmac.digest(secrets.token_bytes(32), signed, hashlib.sha256)
    return (signed + b"." + _base64url(signature)).decode()


def _uuid(_kid: str) -> str:
    return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))


def _sk_hex(_kid: str) -> str:
    return _SK + secrets.token_hex(_SK_BYTES)


def _base64url(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


_MINTS = {Format.PAIR: _pair, Format.JWT: _jwt, Format.UUID: _uuid, Format.SK_HEX: _sk_hex}


def last(form: Format, text: str, count: int) -> str:
    """Return the last ``count`` characters of a token, to be kept and shown; at most :data:`MAX_MASK`.

    Empty for a format that names its key id: that tells one token from another, and shows nothing secret.
    """
    count = min(count, MAX_MASK)
    return "" if form.names_key or count <= 0 else text[-count:]


def display(form: Format, brand: str, kind: Kind, kid: str, masked: str = "") -> str:
    """Return the form for lists and logs; ``masked`` is what :func:`last` gave when the token was made."""
    match form:
        case Format.NATIVE:
            return f"{brand}{kind.value}_{kid}_…"
        case Format.PAIR:
            return f"{kid}:…"
        case Format.JWT:
            return f"eyJ…{masked}"
        case Format.SK_HEX:
            return f"{_SK}…{masked}"
        case Format.UUID:
            return f"…{masked}"
        case Format.IMPORTED:
            return f"{brand}…{masked}"


class Reader:
    """Reads what is no native token of a brand of this deployment."""

    __slots__ = ("_branded",)

    def __init__(self, brands: tuple[str, ...] = (DEFAULT_BRAND,)) -> None:
        self._branded = tuple(f"{brand}{kind.value}_" for brand in brands for kind in Kind)

    def read(self, text: str) -> Other | None:
        """Return what may be a token; ``None`` for what cannot be one. Needs no state.

        What begins like a native token of ours and is none, is mistyped: it is never tried as anything else.
        """
        if text.startswith(SECRET_TOKEN_SCHEME):
            text = text[len(SECRET_TOKEN_SCHEME) :]
        if text.startswith(self._branded) or _PRINTABLE(text) is None:
            return None
        whole = text.encode()
        match = _SHAPES(text)
        if match is None:
            return Other(whole, "", "", False)
        kind, kid, pair_kid = match.group("kind", "kid", "pair")
        if kid is None:
            return Other(whole, pair_kid or "", "", True)
        # A native token of another brand: an organization's own, which this deployment need not list.
        if checksum(whole[:-CHECKSUM_LENGTH]) != text[-CHECKSUM_LENGTH:]:
            return Other(whole, "", "", False)
        return Other(whole, kid, kind, True)


_KINDS = "|".join(kind.value for kind in Kind)
_PRINTABLE = re.compile(f"[!-~]{{{MIN_FOREIGN_LENGTH},{MAX_LENGTH}}}", re.ASCII).fullmatch
_SHAPES = re.compile(
    rf"[a-z][a-z0-9]{{1,9}}?(?P<kind>{_KINDS})_(?P<kid>[0-9A-Za-z]{{12}})_[0-9A-Za-z]{{49}}"
    r"|(?P<pair>[0-9A-Za-z]{12}):[0-9A-Za-z]{43}"
    r"|eyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{43}"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|sk:[0-9a-f]{64}",
    re.ASCII,
).fullmatch
