"""Which regular expressions a policy may hold: those that take no long time on any name. Pure functions."""

from __future__ import annotations

import re
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

PATTERN = (
    "null, or a regular expression with at most 3 open repetitions, none inside another, without alternatives"
    " in a repetition, look-around or references, and with few optional parts"
)
#: A repetition whose ends lie further apart counts as open.
_WIDE = 8
_MOST_OPEN = 3
#: Names are no longer than this.
_LENGTH = 255
#: In so many ways a pattern may be tried on a name: a tenth of a second.
_MOST_WAYS = 4 * _LENGTH**_MOST_OPEN
_REPEATS = (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT)
_PLAIN = (ops.LITERAL, ops.NOT_LITERAL, ops.ANY, ops.IN, ops.AT, ops.CATEGORY, ops.RANGE)


def is_pattern(text: str) -> bool:
    """Tell whether ``text`` is a regular expression that an organization may ask the server to try."""
    try:
        tree = list(parser.parse(text))
        fits = bool(text) and _opened(tree, inside=False) <= _MOST_OPEN and _ways(tree) <= _MOST_WAYS
        if fits:
            re.compile(text)
    except (re.error, RecursionError, OverflowError):
        return False
    return fits


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


def _ways(items: list[Any]) -> float:
    """Return in how many ways it can be tried on a name at most: so often it may begin again."""
    found = 1.0
    for kind, value in items:
        if kind in _REPEATS:
            least, most, body = value
            times = min(most, _LENGTH)
            found *= (times - min(least, times) + 1) * min(_ways(list(body)), _MOST_WAYS + 1) ** times
        elif kind is ops.SUBPATTERN:
            found *= _ways(list(value[-1]))
        elif kind is ops.BRANCH:
            found *= _ways_of_branches([list(each) for each in value[1]])
        if found > _MOST_WAYS:
            return float("inf")
    return found


def _ways_of_branches(branches: list[list[Any]]) -> float:
    """Alternatives that begin with different characters are one way: the others are never gone into."""
    beginnings: dict[Any, float] = {}
    anything = 0.0
    for each in branches:
        first = each[0] if each else (None, None)
        if first[0] is ops.LITERAL:
            beginnings[first[1]] = beginnings.get(first[1], 0.0) + _ways(each)
        else:
            anything += _ways(each)
    return max(beginnings.values(), default=0.0) + anything
