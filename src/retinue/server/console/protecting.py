"""Protect your API: a framework, the lines for it, a key, and whether a request was verified by now."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from retinue.gateways import FORMS, Parameters, ParametersError, Rule, render
from retinue.server.console.viewer import Viewer, page
from retinue.server.traffic.recent import latest_but
from retinue.server.traffic.recorder import CONTROL_PLANE

#: What is looked at for a verified request.
RECENT = timedelta(days=1)
#: What a configuration is shown for until somebody states rules.
SAMPLE_RULE = "GET /reports/*=report:read"


class Framework(msgspec.Struct):
    """A way to protect an API: what it is called, and the lines of it."""

    name: str
    label: str
    lines: str


@cache
def frameworks() -> list[Framework]:
    """Return the ways that the page offers, as their file has them."""
    text = files("retinue.server.console").joinpath("frameworks.toml").read_bytes()
    return msgspec.toml.decode(text, type=dict[str, list[Framework]])["framework"]


@require_safe
@page
def shown(viewer: Viewer) -> HttpResponse:
    """The page, for the framework that the address names."""
    known = {each.name: each for each in frameworks()}
    chosen = known.get(viewer.request.GET.get("with", ""), frameworks()[0])
    return viewer.render(
        "settings/protect.html",
        frameworks=frameworks(),
        chosen=chosen,
        lines=chosen.lines.replace("{organization}", viewer.organization.handle).strip(),
        **_gateway(viewer),
        place="settings",
        section="protect",
        **_seen(viewer),
    )


def _gateway(viewer: Viewer) -> dict[str, Any]:
    """Return the whole configuration of the gateway that the address names, for its rules, one a line."""
    chosen = viewer.request.GET.get("gateway", "")
    text = viewer.request.GET.get("rules", "").strip() or SAMPLE_RULE
    shown: dict[str, Any] = {"gateways": tuple(FORMS), "gateway": chosen, "rules": text}
    if chosen not in FORMS:
        return {**shown, "gateway": ""}
    try:
        rules = tuple(Rule.read(each.strip()) for each in text.splitlines() if each.strip())
        made = render(chosen, Parameters(rules, organization=viewer.organization.handle))
    except ParametersError as error:
        return {**shown, "wrong_rule": str(error)}
    return {**shown, "files": made}


@require_safe
@page
def seen(viewer: Viewer) -> HttpResponse:
    """Whether a node has verified a request for this organization within a day: a part of the page."""
    return viewer.render("parts/protected.html", **_seen(viewer))


def _seen(viewer: Viewer) -> dict[str, Any]:
    if viewer.missing("list_requests"):
        return {"may_see": False, "last": None}
    since = timezone.now() - RECENT
    return {"may_see": True, "last": latest_but(viewer.organization.id, since, CONTROL_PLANE)}
