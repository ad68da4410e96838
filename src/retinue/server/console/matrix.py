"""The matrix of permissions: a resource a row, an action a column, and how each is held."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from retinue.server.console.viewer import Viewer

#: The catalogue is shown up to so many permissions.
MOST = "200"


def of(viewer: Viewer, account: dict[str, Any], access: dict[str, Any]) -> dict[str, Any] | None:
    """Return the matrix of an account: groups of rows, counts; ``None`` where the catalogue is refused."""
    outcome = viewer.call("list_permissions", query={"limit": MOST})
    if not outcome.is_done or "problem" in access:
        return None
    held = {each["permission"]: each for each in access["items"]}
    only = viewer.request.GET.get("only") == "granted"
    search = viewer.request.GET.get("search", "").strip().lower()
    rows: dict[tuple[bool, str], list[dict[str, Any]]] = {}
    for each in outcome.body["items"]:
        name = each["name"]
        if (only and name not in held) or search not in f"{name} {each['label']}".lower():
            continue
        resource, _colon, action = name.partition(":")
        rows.setdefault((each["management"], resource), []).append(
            {**each, "action": action, **_cell(viewer, account, name, held.get(name))}
        )
    return {
        "groups": _grouped(rows),
        "held": len(held),
        "all": len(outcome.body["items"]),
        "only": only,
        "search": search,
        "has_more": outcome.body["next"] is not None,
    }


def catalogue(viewer: Viewer, chosen: set[str]) -> tuple[list[dict[str, Any]], set[str]]:
    """Return the catalogue as groups of rows to choose from, and the names that stand in it."""
    outcome = viewer.call("list_permissions", query={"limit": MOST})
    items = outcome.body["items"] if outcome.is_done else []
    rows: dict[tuple[bool, str], list[dict[str, Any]]] = {}
    for each in items:
        resource, _colon, action = each["name"].partition(":")
        cell = {**each, "action": action, "is_chosen": each["name"] in chosen}
        rows.setdefault((each["management"], resource), []).append(cell)
    return _grouped(rows), {each["name"] for each in items}


def _grouped(rows: dict[tuple[bool, str], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [
        {
            "label": _("Retinue itself") if management else _("Your API"),
            "rows": [
                {"resource": resource, "cells": cells}
                for (of, resource), cells in sorted(rows.items())
                if of == management
            ],
        }
        for management in (False, True)
        if any(of == management for of, _resource in rows)
    ]


def _cell(viewer: Viewer, account: dict[str, Any], name: str, held: dict[str, Any] | None) -> dict[str, Any]:
    """Return how a permission is held, in one glyph and one sentence; and what may be done about it."""
    if name in viewer.policy.forbidden_for_service.permissions:
        return {"glyph": "⊘", "how": "never", "why": _("Never for service accounts.")}
    if held is None:
        grantable = viewer.may("create_grant") and "direct" in viewer.policy.grants_sources
        lacking = viewer.policy.grants_ceiling and name not in viewer.held
        return {
            "glyph": "✕",
            "how": "none",
            "why": _("Not granted."),
            "may_grant": grantable and not lacking,
            "why_not": _("You do not hold %(name)s yourself.") % {"name": name} if lacking else "",
        }
    explicit = held["held"] == "explicit"
    return {
        "glyph": "●" if explicit else "○",
        "how": "explicit" if explicit else "inherited",
        "why": _paths([source["text"].partition(" <- ")[2] or source["text"] for source in held["sources"]]),
        "grant": next((s["id"] for s in held["sources"] if s["kind"] == "direct"), ""),
    }


def _paths(texts: list[str]) -> str:
    """Return the first path, and how many more there are; the page *Why?* has them all."""
    more = len(texts) - 1
    return texts[0] + (_(" and %(n)d more") % {"n": more} if more > 0 else "") if texts else ""
