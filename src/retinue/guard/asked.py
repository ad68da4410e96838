"""A question as a node takes it over HTTP: what a request says of itself may be anything, a node is strict.

What a node would not take is left out where that can only refuse more, so that a stranger gets the denial
which a guard over a replica gives, and no request is lost for its user agent.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from retinue import network
from retinue.presented import REFUSED, is_scheme
from retinue.verifier import Question

#: Longest path template and name of a client that a node takes, longest token and path.
MAX_TOLD = 512
MAX_TEXT = 8192
_MAX_TOKEN = 1024
#: What no token is.
_NO_TOKEN = "-"  # noqa: S105
_METHOD = re.compile(r"[A-Z][A-Z_-]{0,31}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def asked(question: Question) -> dict[str, Any]:
    """Return the fields of the body of ``POST /v1/verify``."""
    told = {
        "token": _token(question.token),
        "need": list(question.need) or None,
        "organization": question.organization,
        "resource": question.resource,
        "address": network.address(question.address or ""),
        "method": question.method if _METHOD.fullmatch(question.method or "") else None,
        "path": _path(question.path),
        "scheme": question.scheme if question.scheme is None or is_scheme(question.scheme) else REFUSED,
        "route": _plain(question.route),
        "client": _plain(question.client),
        "attributes": None if question.attributes is None else dict(question.attributes),
    }
    return {name: value for name, value in told.items() if value is not None}


def _token(token: str | None) -> str:
    """A token of any format is printable ASCII; what is none is not sent, however long it is."""
    if not token:
        return ""
    return token if len(token) <= _MAX_TOKEN and token.isascii() and token.isprintable() else _NO_TOKEN


def _path(path: str | None) -> str | None:
    """Bytes that are no UTF-8 are written as they came: with a percent sign."""
    if path is None or not path.startswith("/") or _CONTROL.search(path):
        return None
    try:
        path.encode()
    except UnicodeEncodeError:
        path = quote(path.encode("utf-8", "surrogateescape"), safe="/%:@!$&'()*+,;=~")
    return path if len(path) <= MAX_TEXT else None


def _plain(text: str | None) -> str | None:
    return text and _CONTROL.sub(" ", text[:MAX_TOLD]).encode("utf-8", "replace").decode()
