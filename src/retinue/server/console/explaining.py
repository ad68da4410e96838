"""Why may it, and who may: every path that leads to a permission."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_safe

from retinue.server.console.listing import Filter, Listing
from retinue.server.console.viewer import Viewer, page

PERMISSIONS = Listing(
    "list_permissions",
    "access/permissions.html",
    "access",
    (
        Filter("search", lazy("Name or words")),
        Filter("management", lazy("Of"), {"false": lazy("Your API"), "true": lazy("Retinue itself")}),
    ),
)


@require_safe
@page
def permissions(viewer: Viewer) -> HttpResponse:
    """The catalogue: every permission, what it means, and how sensitive it is."""
    return PERMISSIONS.show(viewer, section="permissions")


@require_safe
@page
def why(viewer: Viewer) -> HttpResponse:
    """Say whether somebody may do something and by which paths; or, without a name, who may."""
    given = viewer.request.GET
    asked = {name: given.get(name, "").strip() for name in ("principal", "permission", "resource")}
    problem: dict[str, Any] | None = None
    explained: dict[str, Any] | None = None
    who: dict[str, Any] | None = None
    sent = {name: value for name, value in asked.items() if value}
    if asked["permission"]:
        if asked["principal"]:
            outcome = viewer.call("explain_decision", body=sent)
        else:
            outcome = viewer.call("list_who_may", query={**sent, "limit": "200"})
        problem = None if outcome.is_done else outcome.body
        if outcome.is_done and asked["principal"]:
            explained = outcome.body
        elif outcome.is_done:
            who = outcome.body
    status = 200 if problem is None else 422
    missing = viewer.missing("explain_decision")
    context = {
        "asked": asked,
        "explained": explained,
        "who": who,
        "problem": problem,
        "missing": missing,
        "holders": who["items"] if who else [],
    }
    return viewer.render("access/why.html", status, **context, place="access", section="why")
