"""Saved views of lists: open one, save what the address shows, share, hand over, delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from retinue.server.api.saved_views import LISTS
from retinue.server.console import receipts
from retinue.server.console.tables import TABLES
from retinue.server.console.viewer import Viewer, page

#: What the page of accounts calls a view of its own, and the filters of the API that each is.
_TABS: dict[str, dict[str, str]] = {
    **{name: {"status": name} for name in ("attention", "idle", "ownerless", "disabled", "deleted")},
    "mine": {"owner": "me"},
}


def meant(list_: str, given: Mapping[str, str]) -> dict[str, Any]:
    """Return filters, sort, columns and density of an address, as a saved view has them."""
    known = set(LISTS[list_][0].model_fields) - {"limit", "cursor", "sort"}
    filters = {name: given[name] for name in known if given.get(name)}
    if list_ == "service-accounts":
        filters |= _TABS.get(given.get("view", ""), {})
    columns = [name for name in given.get("columns", "").split(",") if name]
    density = given.get("density") or None
    return {"filters": filters, "sort": given.get("sort", ""), "columns": columns, "density": density}


def address(viewer: Viewer, view: Mapping[str, Any]) -> str:
    """Return the address of a list as a saved view shows it, without what is there no more."""
    stale = set(view["stale"])
    filters = {n: v for n, v in view["filters"].items() if f"filters.{n}" not in stale}
    query: dict[str, str] = {}
    if view["list"] == "service-accounts":
        for tab, own in _TABS.items():
            if own.items() <= filters.items():
                query["view"] = tab
                filters = {n: v for n, v in filters.items() if n not in own}
                break
    query |= filters
    query |= {"sort": view["sort"]} if view["sort"] and "sort" not in stale else {}
    columns = [name for name in view["columns"] if f"columns.{name}" not in stale]
    query |= {"columns": ",".join(columns)} if columns else {}
    query |= {"density": view["density"]} if view["density"] else {}
    return f"{viewer.url(TABLES[view['list']].place)}?{urlencode({**query, 'saved': view['id']})}"


def opened(viewer: Viewer) -> dict[str, Any] | None:
    """Return the saved view that the address names, if it is one that the viewer sees."""
    ident = viewer.request.GET.get("saved", "")
    outcome = viewer.call("get_saved_view", {"view_id": ident}) if ident else None
    return outcome.body if outcome is not None and outcome.is_done else None


@require_safe
@page
def listed(viewer: Viewer) -> HttpResponse:
    """Show the views of one list, or of all, and the form that saves what the address shows."""
    of = viewer.request.GET.get("of", "")
    if of and of not in TABLES:
        raise Http404
    found = viewer.get("list_saved_views", query={"limit": "200", **({"list": of} if of else {})})
    views = [_told(viewer, each) for each in found["items"]]
    given = {n: v for n, v in viewer.request.GET.items() if v and n not in ("of", "cursor")}
    return viewer.render(
        "views.html",
        own=[each for each in views if each["is_own"]],
        shared=[each for each in views if not each["is_own"]],
        of=of,
        fields=[(n, v) for n, v in given.items() if n != "saved"],
        present=next((each for each in views if each["id"] == given.get("saved")), None),
        why_not_share="saved_view:share" not in viewer.held,
        back=f"{viewer.url(TABLES[of].place)}?{urlencode(given)}" if of else viewer.url("views"),
        place=TABLES[of].place if of else "accounts",
    )


def _told(viewer: Viewer, view: dict[str, Any]) -> dict[str, Any]:
    is_own = view["owner"]["id"] == viewer.person.id
    may_share = "saved_view:share" in viewer.held
    return {
        **view,
        "is_own": is_own,
        "may_change": may_share if view["shared"] else is_own,
        "may_delete": is_own or may_share,
        "url": viewer.url("view", view["id"]),
        "page": TABLES[view["list"]].place,
    }


@require_safe
@page
def opening(viewer: Viewer, view_id: str) -> HttpResponse:
    """Go to the list as a saved view shows it."""
    return viewer.leave(address(viewer, viewer.get("get_saved_view", {"view_id": view_id})))


@require_POST
@page
def save(viewer: Viewer) -> HttpResponse:
    """Save what the address showed under a name."""
    sent = viewer.request.POST
    of = sent.get("of", "")
    if of not in TABLES:
        raise Http404
    given = {name: str(value) for name, value in sent.items()}
    body = {
        **meant(of, given),
        "list": of,
        "name": sent.get("view_name", ""),
        "shared": sent.get("shared") == "yes",
    }
    outcome = viewer.call("create_saved_view", body=body)
    receipts.say(viewer, outcome, _("Saved as %(name)s.") % {"name": body["name"]})
    if outcome.is_done:
        return viewer.leave(address(viewer, outcome.body))
    return viewer.leave(_back(viewer, of, given))


def _back(viewer: Viewer, of: str, given: Mapping[str, str]) -> str:
    """Return the list as it was shown before a form of its views was sent."""
    ours = ("of", "view_name", "shared", "act", "csrfmiddlewaretoken")
    return (
        f"{viewer.url(TABLES[of].place)}?{urlencode({n: v for n, v in given.items() if v and n not in ours})}"
    )


@require_POST
@page
def change(viewer: Viewer, view_id: str) -> HttpResponse:
    """Rename a view, overwrite it with what is shown, share it or no more, take it over, or delete it."""
    sent, path = viewer.request.POST, {"view_id": view_id}
    view = viewer.get("get_saved_view", path)
    of, act = view["list"], sent.get("act", "")
    given = {name: str(value) for name, value in sent.items()}
    bodies: dict[str, dict[str, Any]] = {
        "rename": {"name": sent.get("view_name", "")},
        "overwrite": meant(of, given),
        "share": {"shared": True},
        "unshare": {"shared": False},
        "take": {"owner": viewer.person.id},
    }
    said = {
        "rename": _("%(name)s was renamed."),
        "overwrite": _("%(name)s shows this now."),
        "share": _("%(name)s is shared with the organization."),
        "unshare": _("%(name)s is yours alone."),
        "take": _("%(name)s is yours now."),
        "delete": _("The view %(name)s was deleted."),
    }
    if act == "delete":
        outcome = viewer.call("delete_saved_view", path)
    elif act in bodies:
        outcome = viewer.call("update_saved_view", path, body=bodies[act])
    else:
        raise Http404
    receipts.say(viewer, outcome, said[act] % {"name": view["name"]})
    if outcome.is_done and act != "delete":
        return viewer.leave(address(viewer, outcome.body))
    return viewer.leave(viewer.url(TABLES[of].place))
