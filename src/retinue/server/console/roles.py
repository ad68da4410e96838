"""Roles: the list, and a role with what it permits, as a form."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from retinue.server.console import matrix, receipts
from retinue.server.console.forms import Form, several
from retinue.server.console.listing import Filter, Listing
from retinue.server.console.viewer import Viewer, page

ROLES = Listing("list_roles", "access/roles.html", "access", (Filter("search", lazy("Name or handle")),))
FIELDS = ("name", "handle", "description", "patterns", "justification", "reason", "seen")


@require_safe
@page
def listed(viewer: Viewer) -> HttpResponse:
    """All roles, with how many permissions each has and how many hold it."""
    return ROLES.show(viewer, section="roles")


@require_http_methods(["GET", "HEAD", "POST"])
@page
def create(viewer: Viewer) -> HttpResponse:
    """Make a role of one's own."""
    form = Form.read(viewer.request.POST, FIELDS, ("permissions",))
    if viewer.request.method != "POST":
        return _page(viewer, None, form)
    body = {
        "name": form.values["name"],
        "description": form.values["description"],
        "permissions": _wanted(form),
    }
    body |= {"handle": form.values["handle"]} if form.values["handle"] else {}
    outcome = viewer.call("create_role", body=body)
    if not outcome.is_done:
        return _page(viewer, None, form.refused(outcome.body), form.status(outcome.status))
    receipts.say(viewer, outcome, _("The role is made."))
    return viewer.leave(viewer.url("role", outcome.body["id"]))


@require_http_methods(["GET", "HEAD", "POST"])
@page
def one(viewer: Viewer, role_id: str) -> HttpResponse:
    """Show a role, or change it: what it permits holds at once for all who hold it."""
    role = viewer.get("get_role", {"role_id": role_id})
    if viewer.request.method != "POST":
        values = {"name": role["name"], "handle": role["handle"], "description": role["description"]}
        return _page(
            viewer, role, Form({**dict.fromkeys(FIELDS, ""), **values}, {"permissions": role["permissions"]})
        )
    form = Form.read(viewer.request.POST, FIELDS, ("permissions",))
    wanted = _wanted(form)
    if form.values["seen"] != role["updated_at"]:
        form.errors["name"] = _(
            "Somebody else has changed this role meanwhile. Look at it again before you save."
        )
        return _page(viewer, role, form, 409)
    body: dict[str, Any] = {
        name: form.values[name] for name in ("name", "description") if form.values[name] != role[name]
    }
    if set(wanted) != set(role["permissions"]):
        body["permissions"] = wanted
    body |= {name: form.values[name] for name in ("justification", "reason") if form.values[name]}
    outcome = viewer.call("update_role", {"role_id": role_id}, body=body)
    if not outcome.is_done:
        return _page(viewer, role, form.refused(outcome.body), form.status(outcome.status))
    receipts.say(viewer, outcome, _("The role is saved. It holds for all who hold the role."))
    return viewer.leave(viewer.url("role", role_id))


@require_POST
@page
def delete(viewer: Viewer, role_id: str) -> HttpResponse:
    """Delete a role; one that is held only if its holders are to lose it."""
    sent = viewer.request.POST
    query = {"holders": "lose" if sent.get("lose") else "keep"}
    query |= {"reason": sent["reason"]} if sent.get("reason") else {}
    outcome = viewer.call("delete_role", {"role_id": role_id}, query=query)
    receipts.say(viewer, outcome, _("The role is deleted."))
    return viewer.leave(viewer.url("roles") if outcome.is_done else viewer.url("role", role_id))


@require_POST
@page
def clone(viewer: Viewer, role_id: str) -> HttpResponse:
    """Make a role of another name with the same permissions."""
    body = {"name": viewer.request.POST.get("name", "").strip()}
    outcome = viewer.call("clone_role", {"role_id": role_id}, body=body)
    receipts.say(viewer, outcome, _("The role is cloned."))
    return viewer.leave(viewer.url("role", outcome.body["id"] if outcome.is_done else role_id))


def _wanted(form: Form) -> list[str]:
    return [*form.lists["permissions"], *several(form.values["patterns"])]


def _page(viewer: Viewer, role: dict[str, Any] | None, form: Form, status: int = 200) -> HttpResponse:
    groups, known = matrix.catalogue(viewer, set(form.lists["permissions"]))
    if not form.values["patterns"]:
        form.values["patterns"] = ", ".join(each for each in form.lists["permissions"] if each not in known)
    missing = viewer.missing("create_role" if role is None else "update_role")
    return viewer.render(
        "access/role.html",
        status,
        role=role,
        form=form,
        groups=groups,
        missing=missing,
        place="access",
        section="roles",
    )
