"""Pairs the objects of a document with those that are there. Pure; no database.

They are the same by their key. Several accounts may have one handle (``accounts.unique``): then an entry
names one by its ``id``, and an entry with an id of another organization takes the one that is most like it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from retinue.server.directory.rules import fold
from retinue.server.errors import Refused

Item = Mapping[str, Any]
Pair = tuple[Item | None, Item]
_PREFIX = "account:"


def pair(
    section: str,
    key: str,
    present: Sequence[Item],
    wanted: Sequence[Item],
    differing: Callable[[Item, Item], int],
) -> list[Pair]:
    """Return each wanted object with the one that is there, ``None`` for a new one.

    ``differing`` tells in how many fields the one that is there is not as it is wanted.
    Refuses a document that names an object twice, or that does not say which of several it means.
    """
    _check_once(section, key, wanted)
    by_id = {item["id"]: item for item in present if item.get("id")}
    found = {place: by_id[item["id"]] for place, item in enumerate(wanted) if item.get("id") in by_id}
    taken = {id(item) for item in found.values()}
    there = _by_key(key, (item for item in present if id(item) not in taken))
    asked: dict[str, list[int]] = {}
    for place, item in enumerate(wanted):
        if place not in found:
            asked.setdefault(fold(str(item[key])), []).append(place)
    for name in asked.keys() & there.keys():
        places, left = asked[name], there[name]
        if len(left) > 1 and not wanted[places[0]].get("id"):
            detail, field = f"several are called {name}; give the id", f"{section}.{places[0]}.id"
            raise Refused("invalid_value", detail, field=field)
        found |= _nearest(places, left, lambda place, item: differing(item, wanted[place]))
    return [(found.get(place), item) for place, item in enumerate(wanted)]


def _by_key(key: str, items: Iterable[Item]) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(fold(item[key]), []).append(item)
    return found


def _nearest(places: Sequence[int], left: Sequence[Item], far: Callable[[int, Item], int]) -> dict[int, Item]:
    """Give each place one of those that are left, those that are most alike first."""
    if len(places) == len(left) == 1:
        return {places[0]: left[0]}
    ranked = sorted((far(place, item), place, rank) for rank, item in enumerate(left) for place in places)
    found: dict[int, int] = {}
    for _, place, rank in ranked:
        if place not in found and rank not in found.values():
            found[place] = rank
    return {place: left[rank] for place, rank in found.items()}


def _check_once(section: str, key: str, wanted: Sequence[Item]) -> None:
    seen: dict[str, set[str]] = {}
    for place, item in enumerate(wanted):
        ids = seen.setdefault(fold(str(item[key])), set())
        ident = item.get("id") or ""
        if ident in ids or (ids and (not ident or "" in ids)):
            raise Refused("duplicate_name", f"{item[key]} stands twice", field=f"{section}.{place}.{key}")
        ids.add(ident)


def renamed(pairs: Iterable[Pair]) -> dict[str, str]:
    """Return how a document names accounts by id, and how they are named here."""
    return {
        _PREFIX + item["id"]: _PREFIX + there["id"]
        for there, item in pairs
        if there is not None and item.get("id") and there.get("id") and item["id"] != there["id"]
    }
