"""How names become handles, what must be unique, and typed attributes; as the policy says. Pure functions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from retinue.server.directory import rules
from retinue.server.errors import Refused
from retinue.server.policies.policy import Attribute, Policy, Slug

HANDLE_MAX = 255
#: A handle without any template: what fits into an address and a command line.
_PLAIN = "1 to 63 characters of a-z, 0-9, dot, dash and underscore, no dash or dot at the ends"
_TYPES: dict[str, type | tuple[type, ...]] = {"text": str, "number": (int, float), "flag": bool}

Value = str | int | float | bool


def slug(name: str, how: Slug) -> str:
    """Make a slug of a name: spaces replaced, other characters removed or kept. May be empty."""
    text = unicodedata.normalize("NFKC", name).casefold()
    if how.strip:
        text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    text = re.sub(r"\s+", how.space, text.strip())
    if how.strip:
        text = re.sub(r"([._-])\1+", r"\1", re.sub(r"[^a-z0-9._-]", "", text))
    return text[:63].strip("-._") if how.strip else text[:63]


def handle(name: str, given: str | None, policy: Policy) -> str:
    """Return the handle of an account, folded: the given one, or made from the name by the template.

    Refuses a given one that the template does not make of any name.
    """
    template = policy.accounts_id_template
    if given is None:
        made = template.replace("{name}", name).replace("{slug}", slug(name, policy.accounts_slug))
        if made == template.replace("{slug}", ""):
            raise Refused("missing_field", "no handle can be made from this name; give one", field="handle")
        return rules.fold(made)[:HANDLE_MAX]
    folded = rules.fold(given)
    rules.check_line(folded, "handle")
    if template == "{slug}":
        if not rules.HANDLE.fullmatch(folded):
            raise Refused("invalid_value", _PLAIN, field="handle")
        return folded
    before, _, after = re.sub(r"\{(name|slug)\}", "\0", template).partition("\0")
    before, after = rules.fold(before), rules.fold(after)
    inner = folded[len(before) : len(folded) - len(after)]
    fits = folded.startswith(before) and folded.endswith(after) and len(folded) <= HANDLE_MAX
    if not fits or not inner or ("{slug}" in template and not rules.HANDLE.fullmatch(inner)):
        raise Refused(
            "invalid_value", f"handles are made as {template} here (accounts.id_template)", field="handle"
        )
    return folded


def unique_key(policy: Policy, made: str, name: str) -> str | None:
    """Return what no other account of the organization may have; ``None`` where nothing must be unique."""
    match policy.accounts_unique:
        case "handle":
            return f"h:{made}"
        case "name":
            return f"n:{rules.fold(name)}"
        case _:
            return None


def check_convention(name: str, policy: Policy) -> None:
    """Refuse a name that does not follow the organization's convention."""
    pattern = policy.accounts_name_pattern
    if pattern is not None and not re.fullmatch(pattern, name):
        raise Refused("invalid_value", f"does not match {pattern} (accounts.name_pattern)", field="name")


def attributes(given: Mapping[str, Any], policy: Policy) -> dict[str, Value]:
    """Return the attributes of an account: typed, limited to their values, defaults where they are missing.

    Refuses one that the policy does not declare.
    """
    known = {each.name: each for each in policy.accounts_attributes}
    for name in given:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise Refused(
                "unknown_field", f"no attribute {name!r}; declared: {listed}", field=f"attributes.{name}"
            )
    found: dict[str, Value] = {}
    for name, declared in known.items():
        value = given.get(name)
        if value is None and declared.default is not None:
            value = _default(declared)
        if value is not None:
            found[name] = _checked(declared, value)
    return found


def _checked(declared: Attribute, value: Any) -> Value:
    place = f"attributes.{declared.name}"
    if not isinstance(value, _TYPES[declared.type]) or (isinstance(value, bool) and declared.type != "flag"):
        raise Refused("invalid_value", f"must be a {declared.type}", field=place)
    made: Value = rules.check_name(value, place) if isinstance(value, str) else value  # type: ignore[assignment]
    if declared.values and text(made) not in declared.values:
        raise Refused("invalid_value", f"one of {', '.join(declared.values)}", field=place)
    return made


def _default(declared: Attribute) -> Value:
    if declared.type == "flag":
        return declared.default == "true"
    if declared.type == "number":
        return float(declared.default or 0)
    return declared.default or ""


def text(value: Value) -> str:
    """Return an attribute as conditions compare it: ``true``, ``3`` or the text itself."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
