"""One service account: its tabs, each an address."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import Http404, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from retinue.server.access.queries import collections, collections_of, roles, rules_of
from retinue.server.api.inside import Outcome
from retinue.server.console import events, handover, matrix
from retinue.server.console.accounts import shown
from retinue.server.console.forms import Form
from retinue.server.console.viewer import Viewer, page
from retinue.server.console.words import CREDENTIAL, TABS
from retinue.server.directory.queries import principals
from retinue.server.traffic import counts
from retinue.server.traffic import queries as traffic

MANY = "200"
WEEK = timedelta(days=7)
#: What ended longer ago is hidden until it is asked for, and counted.
HIDDEN_AFTER = timedelta(days=30)
PAGE = "50"
OVERVIEW_KEYS = 5


@require_safe
@page
def account(viewer: Viewer, account_id: str, tab: str = "overview") -> HttpResponse:
    """Show one tab of an account."""
    if tab not in TABS:
        raise Http404
    found = viewer.get("get_service_account", {"account_id": account_id})
    return tab_page(viewer, found, tab, _TABS[tab](viewer, found))


def tab_page(
    viewer: Viewer, account: dict[str, Any], tab: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    """Show an account with one of its tabs."""
    ident = account["id"]
    tabs = [
        {
            "name": name,
            "label": label,
            "url": viewer.url("account", ident, *([] if name == "overview" else [name])),
        }
        for name, label in viewer.words.tabs.items()
    ]
    return viewer.render(
        f"account/{tab}.html",
        status,
        account=shown(viewer, account),
        tab=tab,
        tabs=tabs,
        place="accounts",
        **context,
    )


def _overview(viewer: Viewer, account: dict[str, Any]) -> dict[str, Any]:
    keys = _keys(viewer, account)
    return {
        "keys": keys,
        "shown_keys": keys["items"][:OVERVIEW_KEYS],
        "rotations": handover.running(keys["items"], timezone.now()),
        "access": _part(viewer, "list_effective_permissions", {"account_id": account["id"]}),
        "exercised": traffic.exercised([account["id"]])[account["id"]],
    }


def _keys_tab(viewer: Viewer, account: dict[str, Any]) -> dict[str, Any]:
    hidden = viewer.request.GET.get("deleted") == "yes"
    keys = _keys(viewer, account, status="deleted" if hidden else "")
    older = {each["id"] for each in keys["items"] if not hidden and _is_old(each)}
    shows_older = viewer.request.GET.get("older") == "yes"
    if not shows_older:
        keys["items"] = [each for each in keys["items"] if each["id"] not in older]
    ids = [each["id"] for each in keys["items"]]
    return {
        "keys": keys,
        "rotations": handover.running(keys["items"], timezone.now()),
        "uses": counts.uses(
            viewer.organization.id, ids, since=timezone.now() - WEEK, by="credential", account=account["id"]
        )
        if ids
        else {},
        "most": viewer.policy.credentials_max_usable,
        "is_deleted": hidden,
        "older": len(older),
        "shows_older": shows_older,
    }


def _is_old(key: dict[str, Any]) -> bool:
    """Tell whether a key ended so long ago that the list shows it only if asked."""
    if key["status"] not in ("revoked", "expired"):
        return False
    ended = key["revoked_at"] or key["retires_at"] or key["expires_at"]
    return ended is not None and datetime.fromisoformat(ended) < timezone.now() - HIDDEN_AFTER


def _uses(viewer: Viewer, account: dict[str, Any], ids: list[str]) -> dict[str, int]:
    """Return how often each of some keys of an account was used within a week."""
    if not ids:
        return {}
    since, holder = timezone.now() - WEEK, account["id"]
    return counts.uses(viewer.organization.id, ids, since=since, by="credential", account=holder)


def _keys(viewer: Viewer, account: dict[str, Any], limit: str = MANY, status: str = "") -> dict[str, Any]:
    query = {"limit": limit} | ({"status": status} if status else {})
    part = _part(viewer, "list_keys_of_account", {"account_id": account["id"]}, query)
    items = [{**each, "look": CREDENTIAL[each["status"]]} for each in part.get("items", [])]
    return {**part, "items": beside_successors(items)}


def beside_successors(keys: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put each key that was replaced and still works directly under the one that replaces it."""
    retiring = {
        each["rotated_to"]: each for each in keys if each["status"] == "retiring" and each["rotated_to"]
    }
    under = {each["id"] for successor, each in retiring.items() if any(k["id"] == successor for k in keys)}
    found = []
    for each in keys:
        if each["id"] in under:
            continue
        found.append({**each, "is_under": False})
        follower = retiring.get(each["id"])
        while follower is not None and follower["id"] in under:
            found.append({**follower, "is_under": True})
            follower = retiring.get(follower["id"])
    return found


def _access(viewer: Viewer, account: dict[str, Any]) -> dict[str, Any]:
    part = _part(viewer, "list_effective_permissions", {"account_id": account["id"]})
    return {
        "access": part,
        "matrix": matrix.of(viewer, account, part),
        "roles": sorted(roles(viewer.person.organization_id).values(), key=lambda each: each.name),
        "sources": viewer.policy.grants_sources,
        "banned": viewer.policy.forbidden_for_service.roles,
        **_collections(viewer, account),
    }


def _collections(viewer: Viewer, account: dict[str, Any]) -> dict[str, Any]:
    """Return the groups, teams and access policies of an account, and those that it could be put into."""
    held = collections_of(principals([account["id"]])[account["id"]])
    inside = {each.id for each in held}
    return {
        "collections": [
            {
                "kind": kind,
                "held": [each for each in held if each.kind == kind],
                "others": [row for row in collections(viewer.organization.id, kind) if row.id not in inside]
                if viewer.may(f"add_to_{kind}")
                else [],
                "may": viewer.may(f"add_to_{kind}"),
                "why_not": viewer.missing(f"add_to_{kind}"),
            }
            for kind in ("group", "team")
            if kind in viewer.policy.grants_sources
        ],
        "rules": [each for each in held if each.kind == "policy"],
        "other_rules": [each for each in rules_of(viewer.organization.id) if each.id not in inside]
        if viewer.may("update_access_policy")
        else [],
    }


def _requests(viewer: Viewer, account: dict[str, Any]) -> dict[str, Any]:
    asked = {name: viewer.request.GET.get(name, "") for name in ("decision", "cursor")}
    query = {name: value for name, value in asked.items() if value} | {"limit": PAGE}
    return {
        "requests": _part(viewer, "list_requests_of_account", {"account_id": account["id"]}, query),
        "decision": asked["decision"],
    }


def _audit(viewer: Viewer, account: dict[str, Any]) -> dict[str, Any]:
    query = {"account": account["id"], "limit": PAGE}
    query |= {"cursor": viewer.request.GET["cursor"]} if viewer.request.GET.get("cursor") else {}
    part = _part(viewer, "list_audit_events", query=query)
    return {"audit": {**part, "items": events.told(viewer, part.get("items", []))}}


def _settings(viewer: Viewer, account: dict[str, Any]) -> dict[str, Any]:
    seen = written(account)
    return {"policy": viewer.policy, "form": Form({**seen, "reason": ""}), "seen": seen}


def written(account: dict[str, Any]) -> dict[str, str]:
    """Return what people wrote about an account, as the form shows it."""
    texts = ("name", "description", "purpose", "environment", "documentation")
    found = {name: str(account[name]).replace("\r\n", "\n").strip() for name in texts}
    found["owners"] = ", ".join(each["handle"] for each in account["owners"])
    found["systems"] = ", ".join(account["systems"])
    return found


def _part(
    viewer: Viewer, operation: str, path: dict[str, str] | None = None, query: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return a part of a page; refused, it is a part that says so, and the rest stays."""
    outcome: Outcome = viewer.call(operation, path, query=query)
    if outcome.is_done:
        return outcome.body
    return {"problem": outcome.body, "items": [], "next": None}


_TABS = {
    "overview": _overview,
    "keys": _keys_tab,
    "access": _access,
    "requests": _requests,
    "audit": _audit,
    "settings": _settings,
}
