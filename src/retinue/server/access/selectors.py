"""Resource selectors: on which resources a grant holds. Pure; no database.

Written as JSON: ``"*"`` (all), ``"own"``, ``"team"``, ``{"ids": [...]}`` or ``{"where": {name: [values]}}``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from retinue.server.errors import Refused

#: As a node reads it: printable ASCII, so that every database and replica sorts and compares it alike.
RESOURCE = re.compile(r"[!-~]{1,128}", re.ASCII)
ATTRIBUTE = re.compile(r"[a-z][a-z0-9_.-]{0,62}", re.ASCII)
IDS_MAX = 100
TEXT_MAX = 2048
_RULE = '"*", "own", "team", {"ids": [...]} or {"where": {attribute: [values]}}'


@dataclass(frozen=True, slots=True)
class Selector:
    """Which resources: ``reach`` is all, ids, own, team, teams (those in ``ids``) or where."""

    reach: str = "all"
    ids: tuple[str, ...] = ()
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def plain(self) -> Any:
        """The selector as the API writes it."""
        match self.reach:
            case "all":
                return "*"
            case "ids":
                return {"ids": list(self.ids)}
            case "where":
                return {"where": {name: list(values) for name, values in self.where}}
            case "teams":
                return {"teams": list(self.ids)}
        return self.reach

    @property
    def text(self) -> str:
        """Its one spelling, by which two selectors are equal."""
        return json.dumps(self.plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


ALL = Selector()


def check_resource(text: str, field: str = "resource") -> str:
    """Return the id of a resource; refuses what no decision could name."""
    if not RESOURCE.fullmatch(text):
        raise Refused("invalid_value", "1 to 128 printable ASCII characters without spaces", field=field)
    return text


def parse(value: Any, field: str = "resource") -> Selector:
    """Read a selector. Refuses anything else, naming ``field``."""
    if value in ("*", None):
        return ALL
    if value in ("own", "team"):
        return Selector(str(value))
    if not isinstance(value, dict) or len(value) != 1:
        raise Refused("invalid_value", _RULE, field=field)
    found = _ids(value["ids"], field) if "ids" in value else _where(value.get("where"), field)
    if len(found.text) > TEXT_MAX:
        raise Refused(
            "invalid_value", f"at most {TEXT_MAX} characters; put the resources into a team", field=field
        )
    return found


def stored(text: str) -> Selector:
    """Read a selector that was written by :attr:`Selector.text`."""
    value = json.loads(text)
    if not isinstance(value, dict):
        return ALL if value == "*" else Selector(str(value))
    if "where" in value:
        return Selector(
            "where", where=tuple((name, tuple(each)) for name, each in sorted(value["where"].items()))
        )
    return Selector("ids", ids=tuple(value["ids"]))


def _ids(value: Any, field: str) -> Selector:
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        raise Refused("invalid_value", "ids: a list of ids of resources, not empty", field=field)
    if len(value) > IDS_MAX:
        raise Refused("invalid_value", f"at most {IDS_MAX} ids; put the resources into a team", field=field)
    return Selector("ids", ids=tuple(sorted({check_resource(each, field) for each in value})))


def _where(value: Any, field: str) -> Selector:
    if not isinstance(value, dict) or not value or len(value) > IDS_MAX:
        raise Refused("invalid_value", _RULE, field=field)
    found = []
    for name, values in sorted(value.items()):
        if not ATTRIBUTE.fullmatch(name):
            raise Refused("invalid_value", f"{name!r}: the name of an attribute, such as region", field=field)
        if not isinstance(values, list) or not values or not all(isinstance(each, str) for each in values):
            raise Refused("invalid_value", f"{name}: a list of values, not empty", field=field)
        found.append((name, tuple(sorted(set(values)))))
    return Selector("where", where=tuple(found))


def covers(own: Selector, wanted: Selector) -> bool:
    """Tell whether ``own`` reaches every resource that ``wanted`` reaches."""
    if own.reach == "all":
        return True
    if own.reach != wanted.reach:
        return False
    if own.reach in ("ids", "teams"):
        return set(wanted.ids) <= set(own.ids)
    if own.reach == "where":
        narrow = dict(wanted.where)
        return all(
            name in narrow and ("*" in values or set(narrow[name]) <= set(values))
            for name, values in own.where
        )
    return True
