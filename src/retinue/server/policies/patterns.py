"""Which regular expressions a policy may hold: those that take no long time on any name. Pure functions."""

from __future__ import annotations

import re
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

PATTERN = (
    "null, or a regular expression with at most 3 open repetitions, none inside another, "
    "without alternatives in a repetition, look-around or references"
)
#: A repetition whose ends lie further apart counts as open.
_WIDE = 8
_MOST_OPEN = 3
_REPEATS = (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT)
_PLAIN = (ops.LITERAL, ops.NOT_LITERAL, ops.ANY, ops.IN, ops.AT, ops.CATEGORY, ops.RANGE)


def is_pattern(text: str) -> bool:
    """Tell whether ``text`` is a regular expression that an organization may ask the server to try."""
    try:
        re.compile(text)
        tree = parser.parse(text)
    except (re.error, RecursionError, OverflowError):
        return False
    return bool(text) and _opened(list(tree), inside=False) <= _MOST_OPEN


def _opened(items: list[Any], *, inside: bool) -> float:
    """Return how many open repetitions there are; infinite for what is not allowed."""
    found = 0.0
    for kind, value in items:
        if kind in _REPEATS:
            least, most, body = value
            repeats = most > 1
            if repeats and inside:
                return float("inf")
            found += 1 if repeats and most - least > _WIDE else 0
            found += _opened(list(body), inside=inside or repeats)
        elif kind is ops.SUBPATTERN:
            found += _opened(list(value[-1]), inside=inside)
        elif kind is ops.BRANCH:
            if inside:
                return float("inf")
            found += max(_opened(list(each), inside=False) for each in value[1])
        elif kind not in _PLAIN:
            return float("inf")
    return found
