"""Reads a JSON body strictly: one meaning for every text, and bounded work for every size."""

from __future__ import annotations

import json
import unicodedata
from typing import Any, NoReturn

from retinue.server.errors import Refused

MOST_DEPTH = 32
MOST_KEYS = 256
MOST_ITEMS = 1_000
MOST_TEXT = 8 << 10
MOST_INTEGER = 1 << 53


def loads(body: bytes) -> dict[str, Any]:
    """Return the object in ``body``, its texts in NFC. Raises :class:`Refused` naming the rule."""
    if not body.strip():
        return {}
    try:
        text = body.decode("utf-8")
        if _deepest(text) > MOST_DEPTH:
            raise Refused("bad_json", f"nested deeper than {MOST_DEPTH}")
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except UnicodeDecodeError:
        raise Refused("bad_json", "not UTF-8") from None
    except json.JSONDecodeError as error:
        raise Refused("bad_json", f"{error.msg} at character {error.pos}") from None
    except ValueError:
        raise Refused("bad_json", "a number is too long") from None
    if not isinstance(value, dict):
        raise Refused("bad_json", "the body must be an object")
    return {name: _checked(member, name) for name, member in value.items()}


def _deepest(text: str) -> int:
    """Return how deep brackets nest, outside of strings, without recursion."""
    depth = deepest = 0
    in_string = escaped = False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MOST_KEYS:
        raise Refused("bad_json", f"more than {MOST_KEYS} members in one object")
    made = dict(pairs)
    if len(made) != len(pairs):
        twice = next(name for place, (name, _) in enumerate(pairs) if name in dict(pairs[:place]))
        raise Refused("bad_json", "a member stands twice", field=twice[:64])
    return made


def _constant(name: str) -> NoReturn:
    raise Refused("bad_json", f"{name} is not JSON")


def _checked(value: Any, place: str) -> Any:
    match value:
        case str():
            return _text(value, place)
        case bool() | None:
            return value
        case int() if abs(value) > MOST_INTEGER:
            raise Refused("invalid_value", "integers lie within 2^53", field=place)
        case float() if value in (float("inf"), float("-inf")):
            raise Refused("invalid_value", "the number is too large", field=place)
        case list():
            if len(value) > MOST_ITEMS:
                raise Refused("invalid_value", f"at most {MOST_ITEMS} items", field=place)
            return [_checked(item, f"{place}.{number}") for number, item in enumerate(value)]
        case dict():
            return {_text(name, place): _checked(member, f"{place}.{name}") for name, member in value.items()}
        case _:
            return value


def _text(text: str, place: str) -> str:
    if len(text) > MOST_TEXT:
        raise Refused("invalid_value", f"at most {MOST_TEXT} characters", field=place)
    for character in text:
        if (
            (ord(character) < 32 and character not in "\n\t")
            or ord(character) == 127
            or 0xD800 <= ord(character) < 0xE000
        ):
            raise Refused("invalid_value", f"control character U+{ord(character):04X}", field=place)
    return unicodedata.normalize("NFC", text)
