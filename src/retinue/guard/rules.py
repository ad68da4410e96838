"""Which permission a request needs: rules ``"GET /reports*"`` -> ``report:read``. No rule, no entry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from retinue import permission
from retinue.restrictions import is_ambiguous

#: Under this name a view keeps what it requires.
MARK = "__retinue__"
#: A part of a path, whatever stands there.
_PART = re.compile(r"\{[^{}/]+\}")
_RULE = re.compile(r"(?:([A-Z]+(?:,[A-Z]+)*|\*) +)?(/\S*)", re.ASCII)


class RuleError(ValueError):
    """A rule is none; the message names it."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a route requires: a genuine token whose account holds ``need``.

    All of ``need``, or one of it (``is_any``); on the resource whose id is the part ``resource`` of the path,
    if it names one. ``is_optional`` lets in without a token, ``is_public`` never asks for one.
    """

    need: tuple[str, ...] = ()
    resource: str | None = None
    is_any: bool = False
    is_optional: bool = False
    is_public: bool = False


#: A route that needs no token.
PUBLIC = Requirement(is_public=True)
#: A route that any genuine token may use.
GENUINE = Requirement()


def requirement(need: Iterable[str], resource: str | None = None, *, is_any: bool = False) -> Requirement:
    """Return what these permissions require. Raises :class:`RuleError` for a name that is none."""
    names = tuple(need)
    for name in names:
        if not permission.is_name(name):
            raise RuleError(f"{name!r} is no permission, such as report:read")
    if not names:
        raise RuleError("name a permission, such as report:read")
    return Requirement(names, resource, is_any)


def mark(view: Any, required: Requirement) -> None:
    """Note on a view what it requires, beside what is noted there."""
    setattr(view, MARK, (*getattr(view, MARK, ()), required))


def marks(view: Any) -> tuple[Requirement, ...]:
    """Return what is noted on a view; nothing if nobody has said what it requires."""
    found = getattr(view, MARK, ())
    return found if isinstance(found, tuple) else ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One line: methods (empty: any), a path pattern, and what is needed (empty: any genuine token)."""

    methods: frozenset[str]
    pattern: str
    need: tuple[str, ...]

    @classmethod
    def read(cls, text: str, need: str | Iterable[str] = ()) -> Rule:
        """Read ``"GET,HEAD /reports/*"``. ``*`` at the end of a path stands for anything, ``{x}`` for a part.

        Raises :class:`RuleError`.
        """
        match = _RULE.fullmatch(text.strip())
        if match is None or "*" in match[2][:-1]:
            raise RuleError(f"{text!r}: methods and a path, such as 'GET /reports/*'")
        names = (need,) if isinstance(need, str) else tuple(need)
        wrong = [name for name in names if not permission.is_name(name)]
        if wrong:
            raise RuleError(f"{text!r}: {wrong[0]!r} is no permission, such as report:read")
        methods = frozenset() if match[1] in (None, "*") else frozenset(match[1].split(","))
        return cls(methods, match[2], names)

    def fits(self, method: str, path: str) -> bool:
        """Tell whether the rule is for a request."""
        if self.methods and method not in self.methods and not (method == "HEAD" and "GET" in self.methods):
            return False
        return _compiled(self.pattern).fullmatch(path) is not None

    @property
    def required(self) -> Requirement:
        """What the rule requires."""
        return Requirement(self.need)

    @property
    def weight(self) -> tuple[int, int, int]:
        """How exact the rule is: the most exact one that fits is taken, wherever it stands.

        A part in braces says nothing: ``/users/me`` is more exact than ``/users/{anybody}``.
        """
        return (
            len(_PART.sub("", self.pattern.rstrip("*"))),
            int(not self.pattern.endswith("*")),
            len(self.methods) > 0,
        )


class Rules:
    """The rules of an application, and the paths that need no token."""

    def __init__(self, rules: Mapping[str, str | Iterable[str]], public: Iterable[str] = ()) -> None:
        read = (Rule.read(text, need) for text, need in rules.items())
        self._rules = sorted(read, key=lambda rule: rule.weight, reverse=True)
        self._public = [Rule.read(text) for text in public]

    @property
    def protected(self) -> tuple[Rule, ...]:
        """The rules, the most exact ones first."""
        return tuple(self._rules)

    @property
    def public(self) -> tuple[Rule, ...]:
        """The paths that need no token."""
        return tuple(self._public)

    def find(self, method: str, path: str) -> Rule | None:
        """Return the rule for a request; ``None`` if there is none, or the path can be read in two ways."""
        found = [self._first(method, each) for each in _readings(path)]
        return found[0] if found and found[0] == found[-1] else None

    def is_public(self, method: str, path: str) -> bool:
        """Tell whether a request needs no token."""
        readings = _readings(path)
        return bool(readings) and all(
            any(rule.fits(method, each) for rule in self._public) for each in readings
        )

    def _first(self, method: str, path: str) -> Rule | None:
        return next((rule for rule in self._rules if rule.fits(method, path)), None)


def _readings(path: str) -> tuple[str, ...]:
    """Return a path as it came and as a framework decodes it, which must lead to one rule; none if ambiguous.

    Else ``/%61dmin`` would be let in by the rule for ``/*`` and answered by the route ``/admin``.
    """
    if is_ambiguous(path.encode("utf-8", "surrogateescape")):
        return ()
    return (path, unquote(path, errors="surrogateescape")) if "%" in path else (path,)


_known: dict[str, re.Pattern[str]] = {}


def _compiled(pattern: str) -> re.Pattern[str]:
    found = _known.get(pattern)
    if found is None:
        parts = re.split(r"(\{[^{}/]+\})", pattern.rstrip("*"))
        text = "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in parts)
        found = _known[pattern] = re.compile(text + (".*" if pattern.endswith("*") else ""), re.DOTALL)
    return found
