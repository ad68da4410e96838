"""What a request says about itself: the presented token, for whom a gateway asks, and paths.

Everything here is read from raw header values. Nothing that a client can write is trusted: header names
are compared as they stand (an underscore is never a dash), and what a gateway forwards counts only when
the connection comes from a configured gateway.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from retinue import permission
from retinue.network import Gateways, address
from retinue.presented import REFUSED
from retinue.restrictions import TOKEN_PLACE, is_ambiguous

__all__ = [
    "REFUSED",
    "Gateways",
    "Need",
    "address",
    "is_ambiguous",
    "is_method",
    "is_organization",
    "need",
    "token_in_query",
    "tokens_in_path",
]

_METHOD = re.compile(rb"[A-Z][A-Z_-]{0,31}")
_TOKEN_IN_QUERY = re.compile(
    rb"(?:^|[?&])(?:access_token|token|api_?key)=|[a-z][a-z0-9]{1,9}(?:sa|pat|ing|node|boot)_[0-9A-Za-z]{12}_"
    rb"|[=&]sk(?::|%3[aA])[0-9a-f]{32}|[=&]eyJ[0-9A-Za-z_-]{8,512}\.eyJ|[=&][0-9A-Za-z]{12}(?::|%3[aA])[0-9A-Za-z]{43}"
)
#: What an ingest token looks like where it stands in a path: a segment of its own.
_TOKEN_SEGMENT = re.compile(
    r"[a-z][a-z0-9]{1,9}ing_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|sk:[0-9a-f]{64}|eyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]+\.[0-9A-Za-z_-]{43}|[0-9A-Za-z]{12}:[0-9A-Za-z]{43}",
    re.ASCII,
)
#: So many segments of a path are tried, from the left.
MOST_IN_PATH = 4
#: What is longer is not well formed, and is kept in no cache.
_LONGEST_NEED = permission.MAX_LENGTH + 1 + 128
_ORGANIZATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)


class Need(NamedTuple):
    """What the path of a forward-auth call asks for; ``None`` where that is not well formed."""

    permission: str | None
    organization: str | None
    organization_valid: bool


def token_in_query(target: bytes) -> bool:
    """Tell whether the query of ``target`` seems to hold a token. It is never accepted there."""
    _, mark, query = target.partition(b"?")
    return bool(mark) and _TOKEN_IN_QUERY.search(query) is not None


def tokens_in_path(path: str) -> list[tuple[str, str]]:
    """Return the segments of ``path`` that may be ingest tokens, each with the path that has none instead."""
    segments = path.split("/")
    found = [place for place, each in enumerate(segments) if _TOKEN_SEGMENT.fullmatch(each)]
    return [
        (segments[place], "/".join((*segments[:place], TOKEN_PLACE, *segments[place + 1 :])))
        for place in found[:MOST_IN_PATH]
    ]


def is_method(value: bytes) -> bool:
    """Tell whether ``value`` can be an HTTP method."""
    return _METHOD.fullmatch(value) is not None


def need(segment: bytes) -> Need:
    """Read the segment ``<permission>[@organization]``. Only its form: that it exists is asked each time."""
    return _kept(segment) if len(segment) <= _LONGEST_NEED else _read(segment)


def _read(segment: bytes) -> Need:
    text = segment.decode("latin-1")
    name, mark, organization = text.partition("@")
    valid = not mark or is_organization(organization)
    return Need(name if permission.is_name(name) else None, organization if mark else None, valid)


_kept = lru_cache(maxsize=1024)(_read)


def is_organization(text: str) -> bool:
    """Tell whether ``text`` can be the id or the handle of an organization."""
    return _ORGANIZATION.fullmatch(text) is not None
