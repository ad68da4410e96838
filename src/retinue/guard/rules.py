"""Which permission a request needs: rules ``"GET /reports*"`` -> ``report:read``. No rule, no entry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from retinue import permission
from retinue.restrictions import is_ambiguous

_RULE = re.compile(r"(?:([A-Z]+(?:,[A-Z]+)*|\*) +)?(/\S*)", re.ASCII)


class RuleError(ValueError):
    """A rule is none; the message names it."""


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
    def weight(self) -> tuple[int, int, int]:
        """How exact the rule is: the most exact one that fits is taken, wherever it stands."""
        return len(self.pattern.rstrip("*")), int(not self.pattern.endswith("*")), len(self.methods) > 0


class Rules:
    """The rules of an application, and the paths that need no token."""

    def __init__(self, rules: Mapping[str, str | Iterable[str]], public: Iterable[str] = ()) -> None:
        read = (Rule.read(text, need) for text, need in rules.items())
        self._rules = sorted(read, key=lambda rule: rule.weight, reverse=True)
        self._public = [Rule.read(text) for text in public]

    def find(self, method: str, path: str) -> Rule | None:
        """Return the rule for a request; ``None`` if there is none, or the path can be read in two ways."""
        if is_ambiguous(path.encode("utf-8", "surrogateescape")):
            return None
        return next((rule for rule in self._rules if rule.fits(method, path)), None)

    def is_public(self, method: str, path: str) -> bool:
        """Tell whether a request needs no token."""
        if is_ambiguous(path.encode("utf-8", "surrogateescape")):
            return False
        return any(rule.fits(method, path) for rule in self._public)


_known: dict[str, re.Pattern[str]] = {}


def _compiled(pattern: str) -> re.Pattern[str]:
    found = _known.get(pattern)
    if found is None:
        parts = re.split(r"(\{[^{}/]+\})", pattern.rstrip("*"))
        text = "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in parts)
        found = _known[pattern] = re.compile(text + (".*" if pattern.endswith("*") else ""), re.DOTALL)
    return found
