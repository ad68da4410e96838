"""The catalogue of permissions: those that guard Retinue itself, and those that the host declares.

The catalogue belongs to the installation. The resources of the management permissions are reserved: a
host cannot declare them, and ``*`` as resource never reaches them in any role but Owner.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from retinue import permission
from retinue.server.errors import Refused

SENSITIVITIES = ("normal", "sensitive")
MAX_PERMISSIONS = 10_000

_MANAGEMENT = {
    "user": "create read update enable disable delete",
    "service_account": "create read update enable disable delete approve",
    "credential": "issue read rename restrict rotate expire revoke delete",
    "pat": "issue read revoke",
    "ingest_token": "issue read rotate revoke delete",
    "group": "create read update delete",
    "team": "create read update delete",
    "role": "create read update delete",
    "access_policy": "create read update delete",
    "grant": "create read delete",
    "decision": "simulate ask",
    "organization": "read update delete create list enable disable",
    "policy": "read update",
    "node": "read enrol remove",
    "permission": "import",
    "request_log": "read export",
    "audit_log": "read export",
    "review": "create read decide",
    "finding": "read resolve",
    "epoch": "read create update",
    "saved_view": "share",
}

#: Every permission that guards Retinue itself, in catalogue order. New ones go last in their resource.
MANAGEMENT: tuple[str, ...] = tuple(
    f"{resource}:{action}" for resource, actions in _MANAGEMENT.items() for action in actions.split()
)
RESERVED_RESOURCES = frozenset(_MANAGEMENT)
#: Permissions of the installation: operators hold them, no role does.
INSTALLATION = frozenset(
    {
        "organization:create",
        "organization:list",
        "organization:enable",
        "organization:disable",
        "node:read",
        "node:enrol",
        "node:remove",
        "permission:import",
        "epoch:read",
        "epoch:create",
        "epoch:update",
    }
)


@dataclass(frozen=True, slots=True)
class Declaration:
    """A permission as the host declares it."""

    name: str
    label: str = ""
    description: str = ""
    sensitivity: str = "normal"


def read_file(text: str) -> list[Declaration]:
    """Read ``permissions.yaml``. Raises :class:`Refused` naming the entry and the rule that it breaks."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Refused("invalid_value", f"permissions.yaml: not YAML: {_one_line(error)}") from None
    except RecursionError:
        raise Refused("invalid_value", "permissions.yaml: nested too deeply") from None
    except (ValueError, LookupError, AttributeError):
        # What PyYAML's own constructors raise for a date, number or truth value that is none.
        raise Refused("invalid_value", "permissions.yaml: a value is not of the type that it names") from None
    if document is None:
        return []
    entries = document.get("permissions") if isinstance(document, dict) else None
    if not isinstance(entries, list) or set(document) != {"permissions"}:
        raise Refused("invalid_value", "permissions.yaml: one key, `permissions`, with a list")
    declarations = [_declaration(entry, f"permissions[{place}]") for place, entry in enumerate(entries)]
    seen: set[str] = set()
    for place, declared in enumerate(declarations):
        if declared.name in seen:
            raise Refused(
                "duplicate_name", f"{declared.name} is declared twice", field=f"permissions[{place}].name"
            )
        seen.add(declared.name)
    if len(declarations) > MAX_PERMISSIONS:
        raise Refused("invalid_value", f"at most {MAX_PERMISSIONS} permissions", field="permissions")
    return declarations


def _declaration(entry: Any, place: str) -> Declaration:
    if isinstance(entry, str):
        entry = {"name": entry}
    if not isinstance(entry, dict):
        raise Refused("invalid_value", "a name, or a mapping with a name", field=place)
    unknown = set(entry) - {"name", "label", "description", "sensitivity"}
    if unknown:
        raise Refused("unknown_field", f"unknown: {', '.join(sorted(map(str, unknown)))}", field=place)
    fields = {
        key: value if isinstance(value, str) else "" if value is None else None
        for key, value in entry.items()
    }
    wrong = [key for key, value in fields.items() if value is None]
    if wrong:
        raise Refused("invalid_value", "must be text", field=f"{place}.{wrong[0]}")
    declared = Declaration(**{key: value for key, value in fields.items() if value is not None})
    check_declaration(declared, place)
    return declared


def check_declaration(declared: Declaration, place: str = "permission") -> None:
    """Refuse a declaration that breaks a rule of the catalogue."""
    if not permission.is_name(declared.name):
        raise Refused(
            "invalid_value",
            f"{declared.name!r}: resource:action in lower case, such as report:read",
            field=f"{place}.name",
        )
    if permission.resource_of(declared.name).split(".")[0] in RESERVED_RESOURCES:
        raise Refused(
            "invalid_value",
            f"the resource {permission.resource_of(declared.name)!r} is reserved for Retinue itself",
            field=f"{place}.name",
        )
    if declared.sensitivity not in SENSITIVITIES:
        raise Refused("invalid_value", f"one of {', '.join(SENSITIVITIES)}", field=f"{place}.sensitivity")


def _one_line(error: Exception) -> str:
    return re.sub(r"\s+", " ", str(error))[:200]


def covers(pattern: str, name: str, *, reaches_management: bool = False) -> bool:
    """Tell whether ``pattern`` grants the declared permission ``name``.

    ``*`` as the whole resource does not reach management permissions unless ``reaches_management`` (Owner).
    """
    if not reaches_management and permission.resource_of(pattern) == "*" and name in _MANAGEMENT_SET:
        return False
    return permission.matches(pattern, name)


def expand(
    patterns: Iterable[str], names: Collection[str], *, reaches_management: bool = False
) -> frozenset[str]:
    """Return those of the declared ``names`` that ``patterns`` grant, as :func:`covers` tells for each.

    A pattern without ``*`` is looked up; only the others are tried against every name.
    """
    given = frozenset(patterns)
    wild = [pattern for pattern in given if "*" in pattern]
    named = frozenset(name for name in given if name in names)
    if not wild:
        return named
    declared = frozenset(names)
    return named.union(*(_matched(pattern, declared, reaches_management) for pattern in wild))


# Each call decides by patterns of roles, over names that hardly ever change.
@lru_cache(maxsize=4096)
def _matched(pattern: str, names: frozenset[str], reaches_management: bool) -> frozenset[str]:
    return frozenset(name for name in names if covers(pattern, name, reaches_management=reaches_management))


def covered(pattern: str, names: Collection[str], reaches_management: bool = False) -> frozenset[str]:
    """Return those of the declared ``names`` that whoever holds ``pattern`` has.

    A ``*`` never reaches what is the installation's: operators hold those by name.
    """
    found = expand([pattern], names, reaches_management=reaches_management)
    return found - INSTALLATION if "*" in pattern else found


_MANAGEMENT_SET = frozenset(MANAGEMENT)
