"""Conditions of rule-based groups and access policies on principals, groups and teams. Pure; no database."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from retinue.server.directory import naming
from retinue.server.directory.rules import check_line
from retinue.server.errors import Refused

FIELDS = ("kind", "name", "handle", "environment")
KINDS = ("user", "service_account", "group", "team")
PRINCIPALS = frozenset({"user", "service_account"})
CONDITIONS_MAX = 20
VALUES_MAX = 100
_ATTRIBUTE = re.compile(r"attributes\.[a-z][a-z0-9_.-]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Subject:
    """What conditions look at: a principal, or a group or team by its kind and name."""

    id: str
    kind: str
    name: str
    handle: str = ""
    environment: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    def value(self, name: str) -> str | None:
        """Return a field or attribute, ``None`` if it is missing or empty."""
        if name.startswith("attributes."):
            return self.attributes.get(name.removeprefix("attributes."))
        return getattr(self, name) or None


def texts(stored: str | Mapping[str, Any]) -> dict[str, str]:
    """Return the attributes of an account as conditions compare them, as the database gives them."""
    given: Mapping[str, Any] = json.loads(stored) if isinstance(stored, str) else stored
    return {name: naming.text(value) for name, value in given.items()}


@dataclass(frozen=True, slots=True)
class Condition:
    """``field`` has one of ``values``, in which ``*`` stands for any text. False if it is missing."""

    field: str
    values: tuple[str, ...]

    def holds(self, subject: Subject) -> bool:
        """Tell whether it holds for ``subject``."""
        found = subject.value(self.field)
        return found is not None and any(_matches(pattern, found) for pattern in self.values)


def _matches(pattern: str, text: str) -> bool:
    if "*" not in pattern:
        return pattern == text
    first, *middle, last = pattern.split("*")
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    place, end = len(first), len(text) - len(last)
    for part in middle:
        place = text.find(part, place, end)
        if place < 0:
            return False
        place += len(part)
    return True


def stored(rows: Iterable[Mapping[str, Any]]) -> tuple[Condition, ...]:
    """Read conditions as they are stored."""
    return tuple(Condition(row["field"], tuple(row["values"])) for row in rows)


def parse(rows: Sequence[Any], field: str = "conditions") -> list[dict[str, Any]]:
    """Return conditions as they are stored. Refuses what is none, naming the place."""
    if len(rows) > CONDITIONS_MAX:
        raise Refused("invalid_value", f"at most {CONDITIONS_MAX} conditions", field=field)
    found = []
    for place, row in enumerate(rows):
        name, values = row.get("field"), row.get("values")
        if name not in FIELDS and not (isinstance(name, str) and _ATTRIBUTE.fullmatch(name)):
            known = ", ".join(FIELDS)
            raise Refused("invalid_value", f"one of {known}, attributes.NAME", field=f"{field}.{place}.field")
        if not isinstance(values, list) or not 0 < len(values) <= VALUES_MAX:
            raise Refused("invalid_value", f"1 to {VALUES_MAX} values", field=f"{field}.{place}.values")
        for value in values:
            check_line(value, f"{field}.{place}.values")
            if name == "kind" and value not in KINDS:
                raise Refused("invalid_value", f"one of {', '.join(KINDS)}", field=f"{field}.{place}.values")
        found.append({"field": name, "values": list(dict.fromkeys(values))})
    return found


def matches(match: str, conditions: Sequence[Condition], subject: Subject) -> bool:
    """Tell whether all or any of ``conditions`` hold; none at all matches nobody.

    Groups and teams are matched only where a condition on ``kind`` names them.
    """
    if not conditions:
        return False
    named = any(each.field == "kind" and subject.kind in each.values for each in conditions)
    if subject.kind not in PRINCIPALS and not named:
        return False
    found = (each.holds(subject) for each in conditions)
    return all(found) if match == "all" else any(found)


def whole_kinds(match: str, conditions: Sequence[Condition]) -> frozenset[str]:
    """Return the kinds of principals of which it matches every one, whatever else they are."""
    return frozenset(
        kind
        for kind in PRINCIPALS
        if conditions
        and (all if match == "all" else any)(
            each.field == "kind" and kind in each.values for each in conditions
        )
    )


def may_match(kind: str, match: str, conditions: Sequence[Condition]) -> bool:
    """Tell whether a principal of ``kind`` could match, now or when it is changed."""
    if not conditions:
        return False
    barred = [each.field == "kind" and kind not in each.values for each in conditions]
    return not any(barred) if match == "all" else not all(barred)
