"""Why may it, and who may: every path that leads to a permission."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_safe

from retinue.server.access.catalogue import covered
from retinue.server.access.queries import Role, roles
from retinue.server.access.role_actions import patterns_of
from retinue.server.console import asking
from retinue.server.console.listing import Filter, Listing
from retinue.server.console.viewer import Viewer, page

#: So many roles that would give a permission are named.
_MOST_ROLES = 5
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
        "ways": _ways(viewer, explained) if explained and not explained["allowed"] else None,
        "explained": explained,
        "who": who,
        "problem": problem,
        "missing": missing,
        "holders": who["items"] if who else [],
    }
    return viewer.render("access/why.html", status, **context, place="access", section="why")


def _ways(viewer: Viewer, explained: dict[str, Any]) -> dict[str, Any]:
    """Return what would let somebody do it who may not: roles that give it, where, and whom to ask.

    ``banned`` tells that the policy keeps it from service accounts whatever they are given.
    """
    permission, who = explained["permission"], explained["principal"]
    is_account, banned = who["kind"] == "service_account", viewer.policy.forbidden_for_service
    giving = sorted(
        (role.name, role.id)
        for role in roles(viewer.organization.id).values()
        if covered_by(role, permission) and not (is_account and role.handle in banned.roles)
    )
    operation = "change_grants" if is_account else "update_user"
    needs = viewer.missing(operation)
    return {
        "banned": is_account and permission in banned.permissions,
        "roles": giving[:_MOST_ROLES] if "role" in viewer.policy.grants_sources or not is_account else [],
        "more": max(0, len(giving) - _MOST_ROLES),
        "url": viewer.url("account", who["id"], "access") if is_account else viewer.url("user", who["id"]),
        "ask": asking.whom(viewer.organization.id, needs[0]) if needs else [],
        "needs": needs,
    }


def covered_by(role: Role, permission: str) -> bool:
    """Tell whether a role gives a permission."""
    return any(covered(each, [permission], role.like == "owner") for each in patterns_of(role))
