"""Groups and teams: whom they hold, and what they carry."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from retinue.server.access.queries import Role, roles
from retinue.server.console import receipts
from retinue.server.console.forms import Form, several
from retinue.server.console.listing import Filter, Listing
from retinue.server.console.viewer import Viewer, page

KINDS = ("group", "team")
MANY = {"limit": "200"}
TABS = {
    "members": lazy("Members"),
    "roles": lazy("Roles"),
    "resources": lazy("Resources"),
    "settings": lazy("Settings"),
}
#: Where an act on a group leads back to.
TAB_OF = {"give": "roles", "take": "roles", "resources": "resources", "rename": "settings"}
FIELDS = ("name", "description", "rule", "members", "justification")
RULES = {
    "": lazy("Chosen members"),
    "users": lazy("All users"),
    "service_accounts": lazy("All service accounts"),
    "all": lazy("Everybody"),
}
LISTINGS = {
    kind: Listing(f"list_{kind}s", "access/groups.html", "access", (Filter("search", lazy("Name")),))
    for kind in KINDS
}


@require_safe
@page
def listed(viewer: Viewer, kind: str) -> HttpResponse:
    """All groups, or all teams."""
    return LISTINGS[kind].show(viewer, kind=kind, section=f"{kind}s")


@require_http_methods(["GET", "HEAD", "POST"])
@page
def create(viewer: Viewer, kind: str) -> HttpResponse:
    """Make a group or team with its roles and members: all of it or nothing."""
    form = Form.read(viewer.request.POST, FIELDS, ("roles",))
    status = 200
    if viewer.request.method == "POST":
        body: dict[str, Any] = {
            name: form.values[name]
            for name in ("name", "description", "rule", "justification")
            if form.values[name]
        }
        body |= {
            "name": form.values["name"],
            "members": several(form.values["members"]),
            "roles": form.lists["roles"],
        }
        outcome = viewer.call(f"create_{kind}", body=body)
        if outcome.is_done:
            receipts.say(viewer, outcome, _("%(name)s is made.") % {"name": outcome.body["name"]})
            return viewer.leave(viewer.url(kind, outcome.body["id"]))
        form.refused(outcome.body)
        status = form.status(outcome.status)
    return viewer.render(
        "access/group_new.html",
        status,
        form=form,
        kind=kind,
        rules=RULES.items(),
        roles=_roles(viewer),
        missing=viewer.missing(f"create_{kind}"),
        place="access",
        section=f"{kind}s",
    )


def _roles(viewer: Viewer) -> list[Role]:
    """Return the roles that can be given, by name."""
    return sorted(roles(viewer.person.organization_id).values(), key=lambda each: each.name)


@require_safe
@page
def one(viewer: Viewer, kind: str, group_id: str) -> HttpResponse:
    """A group or team by tabs: its members; what it carries; a team's resources; its name and end."""
    tab = viewer.request.GET.get("tab", "members")
    if tab not in TABS or (tab == "resources" and kind != "team"):
        raise Http404
    path = {f"{kind}_id": group_id}
    group = viewer.get(f"get_{kind}", path)
    members = viewer.get(f"list_members_of_{kind}", path, query=MANY) if tab == "members" else {"items": []}
    assigned = None
    if tab == "roles":
        answer = viewer.call("list_assignments", query={"subject": group["id"], **MANY})
        assigned = answer.body["items"] if answer.is_done else None
    resources = viewer.get("list_resources_of_team", path, query=MANY) if tab == "resources" else None
    return viewer.render(
        "access/group.html",
        group=group,
        kind=kind,
        rows=members["items"],
        members=members,
        assigned=assigned,
        roles=_roles(viewer) if tab == "roles" else [],
        tab=tab,
        tabs=[(name, label) for name, label in TABS.items() if name != "resources" or kind == "team"],
        resources=resources,
        found=resources["items"] if resources else [],
        may_delete=viewer.may(f"delete_{kind}"),
        may_change=viewer.may(f"update_{kind}"),
        why_not=viewer.missing(f"update_{kind}"),
        is_locked=dict.fromkeys(group["locked"], True),
        place="access",
        section=f"{kind}s",
    )


def _rename(viewer: Viewer, kind: str, path: dict[str, str]) -> Any:
    sent = viewer.request.POST
    body = {"name": sent.get("name", "").strip(), "description": sent.get("description", "").strip()}
    return viewer.call(f"update_{kind}", path, body=body)


def _add(viewer: Viewer, kind: str, path: dict[str, str]) -> Any:
    sent = viewer.request.POST
    body = {
        "members": several(sent.get("members", "")),
        "justification": sent.get("justification", "").strip(),
    }
    return viewer.call(f"add_to_{kind}", path, body=body)


def _remove(viewer: Viewer, kind: str, path: dict[str, str]) -> Any:
    return viewer.call(f"remove_from_{kind}", path, body={"members": viewer.request.POST.getlist("member")})


def _give(viewer: Viewer, kind: str, path: dict[str, str]) -> Any:
    sent = viewer.request.POST
    body = {"subject": path[f"{kind}_id"], "role": sent.get("role", "")}
    return viewer.call("assign_role", body={**body, "justification": sent.get("justification", "").strip()})


def _take(viewer: Viewer, kind: str, path: dict[str, str]) -> Any:
    return viewer.call("unassign_role", {"assignment_id": viewer.request.POST.get("assignment", "-")})


def _resources(viewer: Viewer, kind: str, path: dict[str, str]) -> Any:
    sent = viewer.request.POST
    body = {"add": several(sent.get("add", "")), "remove": sent.getlist("remove")}
    return viewer.call("change_resources_of_team", path, body=body)


def _delete(viewer: Viewer, kind: str, path: dict[str, str]) -> Any:
    return viewer.call(f"delete_{kind}", path)


ACTS = {
    "rename": (_rename, lazy("Saved.")),
    "add": (_add, lazy("The members are added.")),
    "remove": (_remove, lazy("The member is removed. What came by this is gone.")),
    "give": (_give, lazy("The role is given to all members.")),
    "take": (_take, lazy("The role is taken from all members.")),
    "resources": (_resources, lazy("The resources are changed.")),
    "delete": (_delete, lazy("It is deleted. Its members have nothing by it any more.")),
}


@require_POST
@page
def act(viewer: Viewer, kind: str, group_id: str, name: str) -> HttpResponse:
    """Change a group or team, and say since when that holds."""
    if name not in ACTS or (name == "resources" and kind != "team"):
        raise Http404
    change, done = ACTS[name]
    outcome = change(viewer, kind, {f"{kind}_id": group_id})
    receipts.say(viewer, outcome, str(done))
    is_gone = name == "delete" and outcome.is_done
    if is_gone:
        return viewer.leave(viewer.url(f"{kind}s"))
    tab = f"?tab={TAB_OF[name]}" if name in TAB_OF else ""
    return viewer.leave(viewer.url(kind, group_id) + tab)
