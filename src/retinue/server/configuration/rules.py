"""Compares two documents of one organization: what is there, and what is wanted. Pure; no database.

A section that the wanted document leaves out is not looked at, and a field that an object leaves out stays as
it is. Objects are found again by their key: the handle of a role or account, the name of a group, team or
access policy, the e-mail address of a user. What is there and not wanted stays, unless it is pruned.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from retinue.server import instants
from retinue.server.access import selectors
from retinue.server.configuration import pairing
from retinue.server.configuration.pairing import Item, Pair
from retinue.server.directory.rules import fold
from retinue.server.errors import Refused

#: Sections in the order in which objects are made: later ones name earlier ones. With the field of their key.
SECTIONS: dict[str, str] = {
    "users": "email",
    "roles": "handle",
    "groups": "name",
    "teams": "name",
    "service_accounts": "handle",
    "access_policies": "name",
}
#: People are not deleted by a file.
NEVER_PRUNED = frozenset({"users"})
#: Lists whose order says nothing.
SETS = frozenset({"resources", "subjects", "systems", "permissions"})
#: What may end by itself.
HANDED = frozenset({"grants", "members", "roles"})


@dataclass(frozen=True, slots=True)
class Step:
    """One change: ``act`` is create, update or delete; ``before`` and ``after`` hold what differs."""

    act: str
    section: str
    key: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def diff(present: Mapping[str, Any], wanted: Mapping[str, Any], *, prune: bool = False) -> list[Step]:
    """Return the steps from ``present`` to ``wanted``, in the order in which they are made.

    Refuses a document that names an object twice.
    """
    steps: list[Step] = []
    if "policy" in wanted and _plain("policy", wanted["policy"]) != _plain("policy", present["policy"]):
        steps.append(Step("update", "policy", "policy", present["policy"], wanted["policy"]))
    pairs = {
        section: pairing.pair(section, key, present[section], wanted[section], _differing)
        for section, key in SECTIONS.items()
        if section in wanted
    }
    names = pairing.renamed(pairs.get("service_accounts", ()))
    for section, key in SECTIONS.items():
        if section in wanted:
            steps += _section(section, key, present[section], pairs[section], names, prune)
    made = [step for step in steps if step.act != "delete"]
    return made + [step for step in reversed(steps) if step.act == "delete"]


def _section(
    section: str,
    key: str,
    present: Sequence[Item],
    pairs: Sequence[Pair],
    names: Mapping[str, str],
    prune: bool,
) -> Iterator[Step]:
    for there, item in pairs:
        after = {
            field: _renamed(value, names) if field in ("members", "subjects") else value
            for field, value in item.items()
        }
        if there is None:
            yield Step("create", section, str(item[key]), {}, after)
            continue
        changed = {
            field: (there.get(field), value)
            for field, value in after.items()
            if field not in (key, "id") and _plain(field, there.get(field)) != _plain(field, value)
        }
        if changed:
            before = {field: pair[0] for field, pair in changed.items()}
            after = {field: pair[1] for field, pair in changed.items()}
            yield Step("update", section, _named(there, key), before, after)
    if prune and section not in NEVER_PRUNED:
        kept = [id(there) for there, _ in pairs if there is not None]
        for there in present:
            if id(there) not in kept and not there.get("is_kept"):
                yield Step("delete", section, _named(there, key), there, {})


def _differing(there: Item, item: Item) -> int:
    return sum(_plain(field, there.get(field)) != _plain(field, value) for field, value in item.items())


def _named(there: Item, key: str) -> str:
    """Return what finds an object again: its key, or its id where several have that."""
    return str(there.get("id") or there[key])


def _renamed(entries: Any, names: Mapping[str, str]) -> list[Any]:
    found = []
    for each in entries or ():
        name, end = entry(each)
        found.append(
            names.get(name, name) if end is None else {"name": names.get(name, name), "expires_at": end}
        )
    return found


def entry(each: str | Item) -> tuple[str, str | None]:
    """Return name and end of a role or member, which is written as its name, or as an object of both."""
    return (each, None) if isinstance(each, str) else (each["name"], each.get("expires_at"))


def without_ended(document: Mapping[str, Any], now: str) -> dict[str, Any]:
    """Return a document without grants, roles and members whose end is past; a file may still name them."""
    found = dict(document)
    for section in SECTIONS:
        if section in found:
            found[section] = [
                {
                    field: [each for each in value if not _is_over(each, now)] if field in HANDED else value
                    for field, value in item.items()
                }
                for item in found[section] or ()
            ]
    return found


def _is_over(each: str | Item, now: str) -> bool:
    return not isinstance(each, str) and (each.get("expires_at") or now) < now


def _plain(field: str, value: Any) -> Any:
    """Return a value as it is compared: nothing is like empty, sets have no order, grants no reasons."""
    if value in (None, "", [], {}):
        return None
    if field == "grants":
        return sorted(grant_key(each) for each in value)
    if field in ("members", "roles"):
        return sorted((fold(name), end or "") for name, end in map(entry, value))
    if field in SETS:
        return sorted(value)
    if field == "policy":
        return {name: each for name, each in value.items() if each}
    return value


def grant_key(grant: Item) -> str:
    """Return what two grants are alike by: permission, resources and end; not why."""
    resource, ends = grant.get("resource") or "*", grant.get("expires_at")
    # However it is written; what is wrong is told when it is granted.
    with suppress(Refused):
        resource = selectors.parse(resource).plain
    with suppress(Refused):
        ends = None if ends is None else instants.read(ends, "expires_at").isoformat()
    return json.dumps((grant["permission"], resource, ends), sort_keys=True)


def digest(steps: list[Step]) -> str:
    """Return a digest of a plan: the same steps, the same digest."""
    stated = [[step.act, step.section, step.key, dict(step.before), dict(step.after)] for step in steps]
    text = json.dumps(stated, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


#: What can be disabled, as its permissions name it.
_STATES = {"users": "user", "service_accounts": "service_account"}
#: What making a change in a section needs, by act.
_NEEDS: dict[str, dict[str, tuple[str, ...]]] = {
    "policy": {"update": ("policy:update",)},
    "users": {"create": ("user:create",), "update": ("user:update",)},
    "roles": {"create": ("role:create",), "update": ("role:update",), "delete": ("role:delete",)},
    "groups": {"create": ("group:create",), "update": ("group:update",), "delete": ("group:delete",)},
    "teams": {"create": ("team:create",), "update": ("team:update",), "delete": ("team:delete",)},
    "service_accounts": {
        "create": ("service_account:create",),
        "update": ("service_account:update",),
        "delete": ("service_account:delete",),
    },
    "access_policies": {
        "create": ("access_policy:create",),
        "update": ("access_policy:update",),
        "delete": ("access_policy:delete",),
    },
}


def needs(steps: list[Step]) -> tuple[str, ...]:
    """Return the permissions that making these steps needs."""
    found: dict[str, None] = {}
    for step in steps:
        found |= dict.fromkeys(_NEEDS[step.section][step.act])
        for field in ("roles", "grants"):
            if step.act != "delete" and field in step.after:
                found["grant:create"] = None
                found |= {"grant:delete": None} if step.before.get(field) else {}
        kind = _STATES.get(step.section)
        if kind and step.after.get("state", "enabled") != step.before.get("state", "enabled"):
            verb = "enable" if step.after["state"] == "enabled" else "disable"
            found[f"{kind}:{verb}"] = None
    return tuple(found)
