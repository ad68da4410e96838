"""The matrix of permissions: a resource a row, an action a column, and how each is held."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.utils.translation import gettext as _

from retinue.server.console.viewer import Viewer

#: The catalogue is shown up to so many permissions.
MOST = "200"
#: Columns that stand first, in this order; others follow by name.
_FIRST = ("read", "view", "list", "create", "write", "update", "run", "delete")

#: Actions that only look. Whatever else a row has is more than that.
_LOOKING = ("read", "view", "list")

JSON = dict[str, Any]


def of(viewer: Viewer, account: JSON, access: JSON) -> JSON | None:
    """Return the matrix of an account: groups of rows, counts; ``None`` where the catalogue is refused."""
    outcome = viewer.call("list_permissions", query={"limit": MOST})
    if not outcome.is_done or "problem" in access:
        return None
    held = {each["permission"]: each for each in access["items"]}
    direct = _direct(access["items"])
    own = {each["name"]: each for each in direct if each["resource"] == "*" and each["name"] in held}
    only = viewer.request.GET.get("only", "")
    unused = {name for name, each in held.items() if each["last_used_at"] is None}
    within = {"granted": set(held), "unused": unused}.get(only)
    search = viewer.request.GET.get("search", "").strip().lower()
    shown = [
        {**each, **_cell(viewer, each["name"], held.get(each["name"]), own.get(each["name"]))}
        for each in outcome.body["items"]
        if (within is None or each["name"] in within) and search in f"{each['name']} {each['label']}".lower()
    ]
    names = {each["name"] for each in outcome.body["items"]}
    return {
        "groups": _grouped(shown),
        "others": [each for each in direct if each["name"] not in own or each is not own[each["name"]]],
        "held": len(held),
        "all": len(names),
        "unused": len(unused),
        "only": only if within is not None else "",
        "search": search,
        "has_more": outcome.body["next"] is not None,
    }


def _direct(items: Iterable[JSON]) -> list[JSON]:
    """Return each direct grant that gives something, once, by its permission or pattern."""
    found = {
        source["id"]: source
        for each in items
        for source in each["sources"]
        if source["kind"] == "direct" and len(source["path"]) == 1
    }
    return sorted(found.values(), key=lambda each: (each["name"], each["id"]))


def catalogue(viewer: Viewer, chosen: set[str]) -> tuple[list[JSON], set[str]]:
    """Return the catalogue as groups of rows to choose from, and the names that stand in it.

    What the viewer does not hold cannot be chosen; what is chosen already can be taken out.
    """
    outcome = viewer.call("list_permissions", query={"limit": MOST})
    items = outcome.body["items"] if outcome.is_done else []

    def cell(name: str) -> JSON:
        if name in chosen:
            return {"how": "explicit", "is_on": True, "may": True, "why": _("Chosen.")}
        lacks = viewer.policy.grants_ceiling and name not in viewer.held
        why = _lacking(name) if lacks else _("Not chosen.")
        return {"how": "none", "is_on": False, "may": not lacks, "why": why}

    return _grouped([{**each, **cell(each["name"])} for each in items]), {each["name"] for each in items}


def _grouped(cells: list[JSON]) -> list[JSON]:
    return [
        {"label": label, "is_own": not management, **table}
        for management, label in ((False, _("Your API")), (True, _("Retinue itself")))
        if (table := _table([each for each in cells if each["management"] == management]))["rows"]
    ]


def _table(cells: list[JSON]) -> JSON:
    """Return the columns, and a row for each resource with a cell or nothing under each of them."""
    rows: dict[str, dict[str, JSON]] = {}
    for each in cells:
        resource, _colon, action = each["name"].partition(":")
        level = "read" if action in _LOOKING else "write"
        rows.setdefault(resource, {})[action] = {**each, "action": action, "level": level}
    actions = sorted({action for row in rows.values() for action in row}, key=_place())
    return {
        "actions": actions,
        "rows": [
            {
                "resource": name,
                "cells": [row.get(action) for action in actions],
                "levels": _levels({each["level"] for each in row.values()}),
            }
            for name, row in sorted(rows.items())
        ],
    }


def _levels(found: set[str]) -> list[tuple[str, str]]:
    """Return what a row can be set to as a whole, by what it has."""
    words = (("none", _("None")), ("read", _("Read")), ("write", _("Write")))
    return [(value, word) for value, word in words if value == "none" or value in found]


def _place() -> Callable[[str], tuple[int, str]]:
    places = {name: n for n, name in enumerate(_FIRST)}
    return lambda action: (places.get(action, len(places)), action)


def _lacking(name: str) -> str:
    return _("You do not hold %(name)s yourself.") % {"name": name}


def _cell(viewer: Viewer, name: str, held: JSON | None, own: JSON | None) -> JSON:
    """Return how a permission is held, in one word and one sentence; and whether the viewer may change it."""
    if name in viewer.policy.forbidden_for_service.permissions:
        return {"how": "never", "is_on": False, "may": False, "why": _("Never for service accounts.")}
    paths = (
        [source["text"].partition(" <- ")[2] or source["text"] for source in held["sources"]] if held else []
    )
    may = viewer.may("change_grants")
    if own is not None:
        return {"how": "explicit", "is_on": True, "may": may, "why": _paths(paths)}
    if held is not None:
        return {"how": "inherited", "is_on": True, "may": may, "why": _paths(paths)}
    if "direct" not in viewer.policy.grants_sources:
        return {"how": "none", "is_on": False, "may": False, "why": _("Not by direct grants here.")}
    lacks = viewer.policy.grants_ceiling and name not in viewer.held
    return {
        "how": "none",
        "is_on": False,
        "may": may and not lacks,
        "why": _lacking(name) if lacks else _("Not granted."),
    }


def _paths(texts: list[str]) -> str:
    """Return the first path, and how many more there are; the page *Why?* has them all."""
    more = len(texts) - 1
    return texts[0] + (_(" and %(n)d more") % {"n": more} if more > 0 else "") if texts else ""
