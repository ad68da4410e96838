"""How a token stands in a request: which credential was presented, and by which scheme.

Schemes are called as in ``credentials.schemes``: ``bearer``; ``basic_pair`` (id and secret), ``basic_token``
(the token as user name, no password); ``apikey`` (base64 of ``id:secret``); ``header:x-name``. There is one
credential in a request: two, in whatever places, are none.
"""

from __future__ import annotations

import re
from binascii import Error as NotBase64
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Mapping
from typing import NamedTuple

#: A scheme that no organization accepts: the presentation is refused, whatever it holds.
REFUSED = "refused"
#: Before the name of a header field, in lower case.
HEADER = "header:"
#: The scheme of an ingest token that stands in the path.
PATH = "path"
#: Header fields that mean something else to HTTP, a gateway or us: no token is looked for in them.
TAKEN = frozenset(
    {
        "accept", "accept-encoding", "accept-language", "authorization", "connection", "content-length",
        "content-type", "cookie", "expect", "forwarded", "host", "idempotency-key", "origin", "prefer",
        "referer", "retinue-caller", "retinue-identity", "retinue-organization", "te", "trailer",
        "transfer-encoding", "upgrade", "user-agent", "via", "x-forwarded-for", "x-forwarded-method",
        "x-forwarded-proto", "x-forwarded-uri", "x-real-ip",
    }
)  # fmt: skip
_SCHEME = re.compile(r"bearer|basic_pair|basic_token|apikey|path|header:[0-9a-z-]{1,64}", re.ASCII)
_LONGEST = 1024


class Presented(NamedTuple):
    """A token and its scheme; without a token nothing was presented, and the scheme says nothing."""

    token: str | None
    scheme: str


NOTHING = Presented(None, "bearer")
_REFUSED = Presented("-", REFUSED)


def is_scheme(text: str) -> bool:
    """Tell whether ``text`` names a scheme."""
    return _SCHEME.fullmatch(text) is not None


def header_names(schemes: Iterable[str]) -> tuple[bytes, ...]:
    """Return the header fields, in lower case, in which tokens may stand."""
    found = (each[len(HEADER) :] for each in schemes if each.startswith(HEADER))
    return tuple(name.encode() for name in sorted(found) if name not in TAKEN)


def authorization(value: bytes | None) -> Presented:
    """Read an ``Authorization`` value (several lines come joined by commas).

    Two credentials, or a scheme that nobody knows, give :data:`REFUSED`: never "the first wins".
    """
    if not value:
        return NOTHING
    if value[:7] == b"Bearer " and b"," not in value:
        return Presented(value[7:].strip(b" \t").decode("latin-1"), "bearer")
    value = value.strip(b" \t")
    if not value:
        return NOTHING
    name, _, rest = value.partition(b" ")
    if b"," in value or len(value) > _LONGEST:
        return _REFUSED
    rest = rest.strip(b" \t")
    match name.lower():
        case b"bearer":
            return Presented(rest.decode("latin-1"), "bearer")
        case b"basic":
            return _basic(rest)
        case b"apikey":
            pair = _decoded(rest)
            return _REFUSED if pair is None or ":" not in pair else Presented(pair, "apikey")
    return _REFUSED


def _basic(encoded: bytes) -> Presented:
    """User name and password (RFC 7617): a pair, or a token with an empty password."""
    text = _decoded(encoded)
    if text is None or ":" not in text:
        return _REFUSED
    user, _, password = text.partition(":")
    return Presented(text, "basic_pair") if password else Presented(user, "basic_token")


def _decoded(encoded: bytes) -> str | None:
    """Decode base64 strictly; tokens are ASCII, so what is not is none."""
    try:
        decoded = a2b_base64(encoded, strict_mode=True)
        return decoded.decode("ascii") if b2a_base64(decoded, newline=False) == encoded else None
    except (NotBase64, UnicodeDecodeError):
        return None


def read(fields: Mapping[bytes, bytes], names: Iterable[bytes] = ()) -> Presented:
    """Return what a request presents in its header: in ``Authorization`` or one of the fields ``names``.

    ``fields`` are header fields by their names in lower case.
    """
    found = authorization(fields.get(b"authorization"))
    for name in names:
        value = fields.get(name, b"").strip(b" \t")
        if not value:
            continue
        if found.token is not None or b"," in value:
            return _REFUSED
        found = Presented(value.decode("latin-1"), HEADER + name.decode())
    return found
