"""The grammar of a token: mint, parse, checksum, display form.

A token is ``brand kind "_" kid "_" secret checksum``. The key id (kid) is public and finds the record;
the secret is 256 bits of randomness; the checksum (CRC-32) only filters typing errors and helps secret
scanners, it is never a security check. A plain token lives in one type, :class:`Token`, that does not
print itself: its text is the display form, and only :meth:`Token.reveal` gives the whole.
"""

from __future__ import annotations

import re
import secrets
from enum import StrEnum
from functools import lru_cache
from typing import Any, NoReturn
from zlib import crc32

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
DEFAULT_BRAND = "rtn"
KID_LENGTH = 12
SECRET_LENGTH = 43
CHECKSUM_LENGTH = 6
#: Key ids that begin so stand in documentation and tests; they are never issued.
EXAMPLE_KID_PREFIX = "0EXAMPLE"
#: RFC 8959: a URI scheme that marks the rest as a secret token.
SECRET_TOKEN_SCHEME = "secret-token:"  # noqa: S105  (the name of a URI scheme, not a secret)
#: Longest text that is looked at: brand 10, kind 4, two underscores, 12 + 43 + 6.
MAX_LENGTH = 77

#: Where secret and key id begin, from the end of a token: what follows the prefix has one length.
_SECRET = -(SECRET_LENGTH + CHECKSUM_LENGTH)
_KID = _SECRET - 1 - KID_LENGTH
#: Where the key id stands in the bytes of a token.
KID_PLACE = slice(_KID, _SECRET - 1)
_PREFIX, _AFTER_PREFIX, _CHECKED = slice(_KID), slice(_KID, None), slice(-CHECKSUM_LENGTH)
_PAIRS_BEFORE, _LAST_PAIR = slice(-CHECKSUM_LENGTH, -2), slice(-2, None)
_UNDERSCORE = ord("_")
_BRAND = re.compile(r"[a-z][a-z0-9]{1,9}", re.ASCII)
_PAIRS = tuple((high + low).encode() for high in BASE62 for low in BASE62)
#: A token that was read: the whole of it, its kind, its key id.
Read = tuple[bytes, str, str]


class Kind(StrEnum):
    """What a token is; part of its text. No kind is a suffix of another, so brand + kind split in one way."""

    API_KEY = "sa"
    PERSONAL = "pat"
    INGEST = "ing"
    NODE = "node"
    SETUP = "boot"
    INVITATION = "inv"
    #: A short-lived stand-in for a key; see :mod:`retinue.access_token`.
    ACCESS = "acc"


def is_brand(text: str) -> bool:
    """Tell whether tokens may begin with ``text``."""
    return _BRAND.fullmatch(text) is not None


def checksum(text: bytes) -> str:
    """Return the six base62 characters of the CRC-32 (IEEE) of ``text``, left-padded with ``0``."""
    value = crc32(text)
    high = value // 3844
    return (_PAIRS[high // 3844] + _PAIRS[high % 3844] + _PAIRS[value % 3844]).decode()


class Token:
    """A bearer secret. It prints as its display form; only :meth:`reveal` gives the whole.

    Text, ``repr``, ``format`` and pickle are the display form, and ``==`` is refused: digests are
    compared, in constant time, never tokens.
    """

    __slots__ = ("_display", "_text", "brand", "kid", "kind")

    def __init__(self, brand: str, kind: Kind, kid: str, text: str, display: str | None = None) -> None:
        self.brand = brand
        self.kind = kind
        self.kid = kid
        self._text = text
        self._display = f"{brand}{kind.value}_{kid}_…" if display is None else display

    @property
    def display(self) -> str:
        """The form for lists, logs and errors: brand, kind and key id, no character of the secret."""
        return self._display

    def reveal(self) -> str:
        """Return the whole token. Call it where the token is handed to its holder, and nowhere else."""
        return self._text

    def as_bytes(self) -> bytes:
        """Return the whole token as ASCII bytes, for the digest."""
        return self._text.encode("ascii")

    def __str__(self) -> str:
        return self.display

    def __repr__(self) -> str:
        return f"<Token {self.display}>"

    def __format__(self, spec: str) -> str:
        return format(self.display, spec)

    def __reduce__(self) -> tuple[Any, ...]:
        return (str, (self.display,))

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("tokens are not compared; compare their digests in constant time")

    __hash__ = None  # type: ignore[assignment]


def mint(kind: Kind, brand: str = DEFAULT_BRAND, kid: str | None = None) -> Token:
    """Make a new token of ``kind`` with a secret from the system's CSPRNG.

    ``kid`` keeps the key id of a credential whose secret is replaced (regenerate); without it a new one
    is drawn. Raises ``ValueError`` for a brand or kid outside the grammar.
    """
    if not is_brand(brand):
        raise ValueError("brand: 2 to 10 characters of a-z and 0-9, beginning with a letter")
    if kid is None:
        kid = draw_kid()
    elif not is_kid(kid):
        raise ValueError("kid: 12 base62 characters")
    body = f"{brand}{kind.value}_{kid}_{draw(SECRET_LENGTH)}"
    return Token(brand, kind, kid, body + checksum(body.encode("ascii")))


def draw_kid() -> str:
    """Return a new random key id: 12 base62 characters (71 bits), never an example id."""
    while True:
        kid = draw(KID_LENGTH)
        if not kid.startswith(EXAMPLE_KID_PREFIX):
            return kid


def is_kid(text: str) -> bool:
    """Tell whether ``text`` can be a key id."""
    return re.fullmatch(r"[0-9A-Za-z]{12}", text, re.ASCII) is not None


def draw(length: int) -> str:
    """Return ``length`` random base62 characters from the system's CSPRNG."""
    return "".join([secrets.choice(BASE62) for _ in range(length)])


class Grammar:
    """What a token looks like here: the live and the retired brands of the deployment."""

    __slots__ = ("_kinds",)

    def __init__(self, brands: tuple[str, ...] = (DEFAULT_BRAND,)) -> None:
        #: What stands before the key id, and the kind that it tells.
        self._kinds = {f"{brand}{kind}_".encode(): kind for brand in brands for kind in _KINDS}

    def read(self, text: str) -> Read | None:
        """Return (whole token, kind, key id); ``None`` for anything that is not a token.

        For the hot path, which digests the bytes at once and drops them when it returns. They print like
        any others: whoever keeps a token uses :func:`parse`, which wraps them.
        """
        if len(text) > MAX_LENGTH:
            # The scheme makes any token longer than that.
            if not text.startswith(SECRET_TOKEN_SCHEME):
                return None
            text = text[len(SECRET_TOKEN_SCHEME) :]
        return self.read_bytes(text.encode("ascii", "replace"))

    def read_bytes(self, whole: bytes) -> Read | None:
        """Do the same for the bytes of a token."""
        kind = self._kinds.get(whole[_PREFIX])
        if kind is None or len(whole) > MAX_LENGTH:
            return None
        # The checksum first, from its end: what is mistyped is refused with the least work.
        high, low = divmod(crc32(whole[_CHECKED]), 3844)
        if (
            whole[_LAST_PAIR] != _PAIRS[low]
            or whole[_PAIRS_BEFORE] != _PAIRS[high // 3844] + _PAIRS[high % 3844]
        ):
            return None
        # Of bytes these are the characters of base62. A second underscore is none of them.
        if whole[_SECRET - 1] != _UNDERSCORE or not whole[_AFTER_PREFIX].replace(b"_", b"", 1).isalnum():
            return None
        return whole, kind, whole[KID_PLACE].decode()


def parse(text: str, brands: tuple[str, ...] = (DEFAULT_BRAND,)) -> Token | None:
    """Read a token; ``None`` for anything that is not one, whatever is wrong with it.

    Needs no state: length, characters, checksum, known brand and kind. ``brands`` are the live and the
    retired brands of the deployment. ``secret-token:<token>`` (RFC 8959) is accepted too.
    """
    found = _grammar(brands).read(text)
    if found is None:
        return None
    whole, kind, kid = found
    plain = whole.decode()
    return Token(plain.partition("_")[0].removesuffix(kind), _KINDS[kind], kid, plain)


def redact(text: str) -> str:
    """Return ``text`` with everything that looks like a token, of any brand and format, in its display form.

    For what strangers write and we keep, such as the path of a request. Takes linear time. Half a secret and
    separators that are percent-encoded are seen as well; what is left of a shorter piece opens nothing. A
    UUID stays: an ordinary id looks the same (whoever knows the presented token takes it out by itself).
    """
    if len(text) < _SHORTEST:
        return text
    if "_" in text or "%5" in text:
        text = _LOOKS_LIKE.sub(r"\1_\2_…", text)
    if ":" in text or "%3" in text:
        text = _SEPARATED.sub(r"\1:…", text)
    return _JWT.sub("eyJ…", text) if "eyJ" in text else text


def kept(text: str, token: str | None) -> str:
    """Return ``text`` as a log may hold it: without the token that was presented, whatever it looks like."""
    if token and token in text:
        text = text.replace(token, "…")
    return redact(text)


def holds_token(text: str) -> bool:
    """Tell whether something in ``text`` looks like a token, of any brand and format."""
    return redact(text) != text


_KINDS = {kind.value: kind for kind in Kind}
#: Of the secret, so much as leaves a guesser with nothing to guess. The brand is left in front as it is.
_TELLING = 32
_SHORTEST = 35
_LOOKS_LIKE = re.compile(
    rf"({'|'.join(_KINDS)})(?:_|%5[Ff])([0-9A-Za-z]{{{KID_LENGTH}}})(?:_|%5[Ff])[0-9A-Za-z]{{{_TELLING},}}",
    re.ASCII,
)
#: A pair of key id and secret, and ``sk:`` with hexadecimal digits.
_SEPARATED = re.compile(
    rf"((?<![0-9A-Za-z])[0-9A-Za-z]{{{KID_LENGTH}}}(?=(?::|%3[Aa])[0-9A-Za-z]{{{_TELLING},}})"
    rf"|sk(?=(?::|%3[Aa])[0-9a-f]{{{_TELLING},}}))(?::|%3[Aa])[0-9A-Za-z]+",
    re.ASCII,
)
_JWT = re.compile(r"eyJ[0-9A-Za-z_%-]{8,512}\.(?:[0-9A-Za-z_%-]+\.?)*", re.ASCII)
_grammar = lru_cache(maxsize=64)(Grammar)
