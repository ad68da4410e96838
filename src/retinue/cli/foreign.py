"""Lists of service accounts as other systems export them, read into one form. Pure functions.

A list is what the other system's own API answers, saved to a file; no call is made to it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Item = Mapping[str, Any]
_COLUMNS = ("name", "description", "purpose", "environment", "owners", "systems", "roles", "enabled")
_SEPARATOR = ";"


@dataclass(frozen=True, slots=True)
class Foreign:
    """A service account of another system. ``roles`` have that system's names."""

    name: str
    description: str = ""
    purpose: str = ""
    environment: str = ""
    owners: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    enabled: bool = True


class Unreadable(Exception):
    """The list is not what it should be; the text says why."""


def read(system: str, text: str) -> list[Foreign]:
    """Return the accounts in ``text``, a list of ``system``: a key of :data:`READERS`.

    Raises :class:`Unreadable`.
    """
    if system == "csv":
        return _csv(text)
    place, reader = READERS[system]
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not JSON: {error}") from None
    items = _within(found, place)
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        raise Unreadable(f"no list of {system}: {' or '.join(place)} should hold its accounts")
    return [reader(each) for each in items]


def _within(found: Any, places: tuple[str, ...]) -> Any:
    """Return the list itself, or what stands in the first of some places, dots going inwards."""
    if isinstance(found, list):
        return found
    for place in places:
        inner = found
        for part in place.split("."):
            inner = inner.get(part) if isinstance(inner, dict) else None
        if isinstance(inner, list):
            return inner
    return None


def _text(item: Item, *names: str) -> str:
    for name in names:
        value = item.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
    raise Unreadable(f"an account without {' or '.join(names)}: {json.dumps(item, default=str)[:120]}")


def _grafana(item: Item) -> Foreign:
    role = item.get("role")
    return Foreign(
        _text(item, "name", "login"),
        roles=(role,) if isinstance(role, str) and role not in ("", "None") else (),
        enabled=item.get("isDisabled") is not True,
    )


def _gitlab(item: Item) -> Foreign:
    name = _text(item, "username", "name")
    return Foreign(name, description=str(item.get("name") or ""), enabled=item.get("state") != "blocked")


def _unkey(item: Item) -> Foreign:
    """A key there is the account itself."""
    return Foreign(
        _text(item, "name", "externalId", "keyId", "id"),
        roles=_names(item.get("roles")),
        enabled=item.get("enabled") is not False,
    )


def _wavefront(item: Item) -> Foreign:
    return Foreign(
        _text(item, "identifier").removeprefix("sa::"),
        description=str(item.get("description") or ""),
        roles=_names(item.get("roles")),
        enabled=item.get("active") is not False,
    )


def _names(found: Any) -> tuple[str, ...]:
    listed = found if isinstance(found, list) else []
    names = (each.get("name") if isinstance(each, dict) else each for each in listed)
    return tuple(each for each in names if isinstance(each, str) and each)


def _csv(text: str) -> list[Foreign]:
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        columns = list(reader.fieldnames or ())
        unknown = [each for each in columns if each not in _COLUMNS]
        if "name" not in columns or unknown:
            what = f"unknown column {unknown[0]!r}" if unknown else "no column name"
            raise Unreadable(f"{what}; columns: {', '.join(_COLUMNS)}; {_SEPARATOR} between several")
        return [_row(row, reader.line_num) for row in reader]
    except csv.Error as error:
        raise Unreadable(f"line {reader.line_num}: {error}") from None


def _row(row: Mapping[Any, Any], line: int) -> Foreign:
    if None in row or None in row.values():
        raise Unreadable(f"line {line}: not as many cells as columns")
    texts = {name: str(value).strip() for name, value in row.items()}
    enabled = texts.get("enabled", "").lower()
    if not texts["name"]:
        raise Unreadable(f"line {line}: no name")
    if enabled not in ("", "true", "false"):
        raise Unreadable(f"line {line}: enabled is true or false")

    def several(name: str) -> tuple[str, ...]:
        return tuple(filter(None, (each.strip() for each in texts.get(name, "").split(_SEPARATOR))))

    return Foreign(
        texts["name"],
        texts.get("description", ""),
        texts.get("purpose", ""),
        texts.get("environment", ""),
        several("owners"),
        several("systems"),
        several("roles"),
        enabled != "false",
    )


#: Where the list stands in what the system's API answers, and how an account is read.
READERS: dict[str, tuple[tuple[str, ...], Callable[[Item], Foreign]]] = {
    "grafana": (("serviceAccounts",), _grafana),
    "gitlab": ((), _gitlab),
    "unkey": (("data", "keys", "data.keys"), _unkey),
    "wavefront": (("response", "response.items"), _wavefront),
}
