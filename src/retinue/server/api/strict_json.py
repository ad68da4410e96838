"""Reads a JSON body strictly: one meaning for every text, and bounded work for every size."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from typing import Any, NoReturn

from retinue.server.errors import Refused

MAX_DEPTH = 32
MAX_KEYS = 256
MAX_ITEMS = 1_000
MAX_TEXT = 8 << 10
MAX_INTEGER = 1 << 53
#: Fields of several lines, wherever they stand; everywhere else a line break is a control character.
MULTILINE = frozenset({"description", "purpose"})

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_BRACKET = re.compile(r"[\[{\]}]")


def loads(body: bytes, most_items: int = MAX_ITEMS) -> dict[str, Any]:
    """Return the object in ``body``, its texts in NFC; ``{}`` for an empty body.

    A list in it has at most ``most_items`` items. Raises :class:`Refused` naming the rule and, with its path
    (``body.owners.0``), the member at fault.
    """
    if not body:
        return {}
    value = _parsed(body)
    if not isinstance(value, dict):
        raise Refused("bad_json", "the body must be an object", field="body")
    return checked(value, "body", most_items)


def checked(given: dict[str, Any], where: str, most_items: int = MAX_ITEMS) -> dict[str, Any]:
    """Return an object with its texts in NFC. Refuses texts, lists and numbers that no operation takes."""
    return {
        name: check_text(each, _shown(f"{where}.{name}"), multiline=name in MULTILINE)
        if isinstance(each, str)
        else _checked(each, f"{where}.{name}", most_items)
        for name, each in given.items()
    }


def check_text(text: str, place: str, *, multiline: bool = False) -> str:
    """Return ``text`` in NFC. Refuses control characters, lone surrogates, and what is too long."""
    if len(text) > MAX_TEXT:
        raise Refused("invalid_value", f"at most {MAX_TEXT} characters", field=place)
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n") if multiline else text)
    if not text.isprintable():
        for character in text:
            if unicodedata.category(character) in ("Cc", "Cs") and not (multiline and character == "\n"):
                raise Refused("invalid_value", f"control character U+{ord(character):04X}", field=place)
    return text


def _parsed(body: bytes) -> Any:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("bad_json", "not UTF-8", field="body") from None
    if _deepest(text) > MAX_DEPTH:
        raise Refused("bad_json", f"nested deeper than {MAX_DEPTH}", field="body")
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise Refused("bad_json", f"{error.msg} at character {error.pos}", field="body") from None


def _deepest(text: str) -> int:
    """Return how deep brackets nest outside of strings, without recursion."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_KEYS:
        raise Refused("bad_json", f"more than {MAX_KEYS} members in one object", field="body")
    made: dict[str, Any] = {}
    for name, value in pairs:
        name = check_text(name, "body")
        if name in made:
            raise Refused("bad_json", "a member stands twice", field=f"body.{_shown(name)}")
        made[name] = value
    return made


def _constant(name: str) -> NoReturn:
    raise Refused("bad_json", f"{name} is not JSON", field="body")


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > MAX_INTEGER:
        raise Refused("bad_json", "whole numbers lie within 2^53", field="body")
    return int(digits)


def _checked(value: Any, place: str, most_items: int) -> Any:
    match value:
        case str():
            return check_text(value, _shown(place))
        case float() if not math.isfinite(value):
            raise Refused("invalid_value", "the number is too large", field=_shown(place))
        case list():
            if len(value) > most_items:
                raise Refused("invalid_value", f"at most {most_items} items", field=_shown(place))
            return [_checked(item, f"{place}.{number}", most_items) for number, item in enumerate(value)]
        case dict():
            return checked(value, place, most_items)
        case _:
            return value


def _shown(place: str) -> str:
    """Return a path as a problem shows it: short, and without characters that hide."""
    return "".join(each if each.isprintable() else "?" for each in place[:128])
