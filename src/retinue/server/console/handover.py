"""The hand-over of a rotation: what comes with the old key and the new one, and whether to finish."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.http import Http404, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from retinue.server.console import charting
from retinue.server.console.viewer import Viewer, page
from retinue.server.traffic import handing_over

#: How long the old key must have been silent before it is advised to finish.
SILENT = timedelta(hours=1)
SPAN = timedelta(hours=24)


def running(keys: Iterable[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """Return the rotations that run among keys of an account: old key, new key, and what is advised.

    ``advice`` is ``finish`` (the old key is silent and the new one in use), ``wait`` (the old key is in use)
    or ``unused`` (the new one was never used: to finish would stop whoever has the old one).
    """
    by_id = {each["id"]: each for each in keys}
    return [
        {"old": old, "new": by_id[old["rotated_to"]], "advice": advice(old, by_id[old["rotated_to"]], now)}
        for old in by_id.values()
        if old["status"] == "retiring" and old["rotated_to"] in by_id
    ]


def advice(old: dict[str, Any], new: dict[str, Any], now: datetime) -> str:
    """Return what is advised about a rotation, in one word."""
    last = old["last_used_at"]
    if last is not None and datetime.fromisoformat(last) > now - SILENT:
        return "wait"
    return "unused" if new["first_used_at"] is None else "finish"


@require_safe
@page
def shown(viewer: Viewer, key_id: str) -> HttpResponse:
    """A rotation by its old key: requests of each hour and clients, old and new; a page, or a part of one."""
    old = viewer.get("get_key", {"key_id": key_id})
    if old["status"] != "retiring" or not old["rotated_to"]:
        raise Http404
    new = viewer.get("get_key", {"key_id": old["rotated_to"]})
    now = timezone.now()
    is_part = viewer.request.headers.get("HX-Request") == "true"
    pair = {"old": old, "new": new, "advice": advice(old, new, now)}
    return viewer.render(
        "parts/flows.html" if is_part else "handover.html",
        account=old["account"],
        pair=pair,
        place="accounts",
        **_drawn(viewer, pair, now),
    )


def _drawn(viewer: Viewer, pair: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return the flows of both keys, drawn on one scale; ``None`` for who may not see requests."""
    if viewer.missing("list_requests"):
        return {"flows": None}
    since, ids = now - SPAN, (pair["old"]["id"], pair["new"]["id"])
    found = handing_over.flows(viewer.organization.id, pair["old"]["account"]["id"], *ids, since, now)
    most = max((sum(each) for flow in found for each in flow.hours.values()), default=0)
    return {
        "flows": [
            {
                "is_old": name == "old",
                "key": pair[name],
                "flow": flow,
                "bars": charting.bars(flow.hours, since, now, "hour", {"credential": pair[name]["id"]}, most),
            }
            for name, flow in zip(("old", "new"), found, strict=True)
        ],
        "width": charting.WIDTH,
        "height": charting.HEIGHT,
        "url": viewer.url("requests"),
    }
