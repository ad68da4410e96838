"""The body of ``POST /v1/verify``: strict JSON, or a problem that names the field and the rule."""

from __future__ import annotations

import json
import re
import unicodedata

import msgspec

from retinue.node import presentation
from retinue.presented import REFUSED, is_scheme
from retinue.problem import Problem, problem

MAX_NEED = 1000
MAX_TEXT = 8192
MAX_DEPTH = 32
MAX_TOLD = 512
MAX_ATTRIBUTES = 32
MAX_ATTRIBUTE = 256
#: How a body begins whose token is its first field, and the longest that is kept (:func:`around`).
OPENING = b'{"token":"'
MAX_KEPT = 1024
_FIELD = re.compile(r"`\$\.?([^`]*)`")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NAMED = re.compile(r"(missing required|unknown) field `([^`]*)`")


class Body(msgspec.Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    """What is asked. Everything but ``token`` may be left out, or null."""

    token: str
    need: tuple[str, ...] | None = None
    organization: str | None = None
    resource: str | None = None
    address: str | None = None
    method: str | None = None
    path: str | None = None
    scheme: str | None = None
    attributes: dict[str, str] | None = None
    route: str | None = None
    client: str | None = None


class Refused(Exception):
    """The body is not a question. ``problem`` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


_decode = msgspec.json.Decoder(Body).decode


def read(data: bytes) -> Body:
    """Return the question in ``data``. Raises :class:`Refused`.

    A short body in which each quotation mark belongs to one known field, with no escape and no character
    outside ASCII, needs no second look: the parser has checked the rest.
    """
    try:
        body = _decode(data)
    except msgspec.ValidationError as error:
        raise Refused(_invalid(data, str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(problem("bad_json", detail=_first_line(error))) from None
    need = body.need
    if need is not None and len(need) > MAX_NEED:
        raise Refused(_at("need", f"at most {MAX_NEED} permissions"))
    use = (body.address, body.method, body.path, body.scheme, body.route, body.client)
    others = (body.organization, body.resource, *use)
    # The quotation marks of a body in which each field stands once, and no null or empty list.
    quotes = (6 + 2 * len(need) if need else 4) + 4 * (len(others) - others.count(None))
    plain = data.count(b'"') == quotes and b"\\" not in data and data.isascii() and len(data) <= MAX_TEXT
    if plain and others == _NOTHING:
        return body
    if body.organization is not None and not presentation.is_organization(body.organization):
        raise Refused(problem("organization_unknown", field="body.organization", detail="an id or a handle"))
    return _look_closely(data, body, plain)


_NOTHING = (None,) * 8


def around(data: bytes, body: Body) -> bytes | None:
    """Return what stands behind the token in a body that was read, if that alone tells the rest of it.

    The same bytes behind :data:`OPENING`, any native token and its quotation mark mean the same then.
    ``None`` for a body that says of a request what differs from one to the next, and for a long or odd one.
    """
    varies = (body.resource, body.address, body.method, body.path, body.route, body.client, body.attributes)
    if varies != _NOTHING_VARIES or len(data) > MAX_KEPT or not data.startswith(OPENING):
        return None
    texts = 2 + 2 * len(body.need or ()) + 2 * ((body.organization is not None) + (body.scheme is not None))
    fields = 1 + (body.need is not None) + (body.organization is not None) + (body.scheme is not None)
    is_plain = data.count(b'"') == texts + 2 * fields and b"\\" not in data and data.isascii()
    return data[len(OPENING) :].partition(b'"')[2] if is_plain else None


_NOTHING_VARIES = (None,) * 7


def is_word(presented: bytes) -> bool:
    """Tell whether bytes mean themselves in JSON, like a native token's: letters, digits and underscores."""
    return len(presented) <= MAX_KEPT and presented.replace(b"_", b"").isalnum()


def _look_closely(data: bytes, body: Body, plain: bool) -> Body:
    """The checks that the parser does not make: repeated fields, NUL, length and form of each text."""
    if not plain:
        _check_repeats(data)
        body = _normalized(body)
    if body.address is not None and presentation.address(body.address) is None:
        raise Refused(_at("address", "an IPv4 or IPv6 address"))
    if body.method is not None and not presentation.is_method(body.method.encode()):
        raise Refused(_at("method", "an HTTP method in capital letters"))
    if body.scheme is not None:
        body = msgspec.structs.replace(body, scheme=body.scheme.lower())
        if body.scheme != REFUSED and not is_scheme(body.scheme or ""):
            raise Refused(_at("scheme", "bearer, basic_pair, basic_token, apikey, path or header:NAME"))
    if body.attributes is not None:
        _check_attributes(body.attributes)
    for name, text in (("route", body.route), ("client", body.client)):
        if text is not None and (len(text) > MAX_TOLD or _CONTROL.search(text)):
            raise Refused(_at(name, f"no control characters, at most {MAX_TOLD} characters"))
    if body.path is None:
        return body
    path = body.path.partition("?")[0]
    if not path.startswith("/") or len(path) > MAX_TEXT or _CONTROL.search(path):
        raise Refused(_at("path", f"begins with /, no control characters, at most {MAX_TEXT} characters"))
    return msgspec.structs.replace(body, path=path)


def _check_attributes(attributes: dict[str, str]) -> None:
    if len(attributes) > MAX_ATTRIBUTES:
        raise Refused(_at("attributes", f"at most {MAX_ATTRIBUTES}"))
    for name, value in attributes.items():
        if max(len(name), len(value)) > MAX_ATTRIBUTE or "\0" in name + value:
            raise Refused(_at("attributes", f"names and values of at most {MAX_ATTRIBUTE} characters"))


def _normalized(body: Body) -> Body:
    """Return ``body`` with each text in NFC. NUL and texts that are too long are refused."""
    texts = {
        name: unicodedata.normalize("NFC", value)
        for name in Body.__struct_fields__
        if isinstance(value := getattr(body, name), str)
    }
    for name, value in texts.items():
        if "\0" in value:
            raise Refused(_at(name, "must not contain NUL"))
        if len(value) > MAX_TEXT:
            raise Refused(_at(name, f"at most {MAX_TEXT} characters"))
    return msgspec.structs.replace(body, **texts)


def _check_repeats(data: bytes) -> None:
    def pairs(found: list[tuple[str, object]]) -> dict[str, object]:
        seen: dict[str, object] = {}
        for name, value in found:
            if name in seen:
                raise Refused(
                    problem("bad_json", field=f"body.{name}", detail="the field stands there twice")
                )
            seen[name] = value
        return seen

    json.loads(data, object_pairs_hook=pairs)


def _invalid(data: bytes, text: str) -> Problem:
    """Say what the parser found, as a problem. Depth and repeats come first: they are about the JSON."""
    if _depth(data) > MAX_DEPTH:
        return problem("bad_json", detail=f"nested deeper than {MAX_DEPTH}")
    named = _NAMED.search(text)
    if named is not None:
        code = "missing_field" if named.group(1).startswith("missing") else "unknown_field"
        return problem(code, field=f"body.{named.group(2)[:64]}")
    at = _FIELD.search(text)
    place = re.sub(r"\[([^]]*)\]", r".\1", at.group(1)) if at else ""
    rule = text.partition(" - at ")[0]
    return problem("invalid_value", field=f"body.{place}" if place else "body", detail=rule)


def _depth(data: bytes) -> int:
    """Return how deep arrays and objects are nested, texts left out."""
    depth = deepest = 0
    for sign in re.findall(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', data):
        if sign in (b"[", b"{"):
            depth += 1
            deepest = max(deepest, depth)
        elif sign in (b"]", b"}"):
            depth -= 1
    return deepest


def _at(field: str, rule: str) -> Problem:
    return problem("invalid_value", field=f"body.{field}", detail=rule)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
