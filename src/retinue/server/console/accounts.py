"""The list of service accounts: views, search, sort and pages in the address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseBase
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_safe

from retinue.server.access.beginning import want_depth
from retinue.server.access.queries import collections_among, holdings
from retinue.server.console import exporting, saving, tables, week
from retinue.server.console.viewer import Viewer, page
from retinue.server.console.words import ACCOUNT
from retinue.server.directory.queries import principals
from retinue.server.governance.queries import decisions, last_reviewed
from retinue.server.traffic.exercises import beside

PAGE = 50
#: The views of the list: what they are called, and the filter of the API that each is. A test compares them.
VIEWS: dict[str, tuple[object, dict[str, str]]] = {
    "all": (lazy("All"), {}),
    "mine": (lazy("Mine"), {}),
    "attention": (lazy("Attention"), {"status": "attention"}),
    "idle": (lazy("Idle"), {"status": "idle"}),
    "ownerless": (lazy("Ownerless"), {"status": "ownerless"}),
    "disabled": (lazy("Disabled"), {"status": "disabled"}),
    "deleted": (lazy("Deleted"), {"status": "deleted"}),
}
SORTS = ("name", "-name", "created_at", "-created_at")
#: What a file has always, and what it has for each column that is shown.
ALWAYS = ("id", "handle", "name")
FILED = {
    "status": ("status",),
    "owner": ("owners",),
    "access": ("roles",),
    "keys": ("usable_keys",),
    "last_used": ("last_used_at",),
    "created": ("created_at",),
    "enabled": ("state",),
    "groups": ("groups",),
    "teams": ("teams",),
    "environment": ("environment",),
    "systems": ("systems",),
    "created_by": ("created_by",),
    "last_reviewed": ("last_reviewed_at",),
    "unused": ("unused_permissions",),
    "traffic": ("allowed_7d", "denied_7d"),
}
#: Columns that show what an account holds.
DEEP = {"groups", "teams", "unused"}
#: Filters of the API that no part of the page sets; an address, a saved view say, may.
MORE = ("status", "state", "handle", "awaits_approval", "environment", "group", "team", "unused_for",
        "expires_within")  # fmt: skip
#: Those that the page's form has: what each is called, and what may be written there.
FORM: dict[str, tuple[object, str]] = {
    "environment": (lazy("Environment"), "production"),
    "group": (lazy("Group"), ""),
    "team": (lazy("Team"), ""),
    "unused_for": (lazy("Not used for days"), "30"),
    "expires_within": (lazy("Ends in days"), "14"),
}
LABELS: dict[str, object] = {
    "status": lazy("Status"),
    "state": lazy("State"),
    "handle": lazy("Handle"),
    "awaits_approval": lazy("Waits for approval"),
    **{name: label for name, (label, _example) in FORM.items()},
}
#: The views of which a filter of the API says the same to acts on many: all of it can be meant at once.
WHOLE: dict[str, dict[str, str]] = {
    "all": {},
    "mine": {},
    "disabled": {"state": "disabled"},
    "deleted": {"state": "deleted"},
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address of the list asks for; what is not understood is left out."""

    view: str
    search: str
    role: str
    owner: str
    sort: str
    cursor: str
    more: tuple[tuple[str, str], ...] = ()
    table: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, given: Any) -> Asked:
        """Read the query of a request."""
        view, sort = given.get("view", "all"), given.get("sort", "name")
        return cls(
            view=view if view in VIEWS else "all",
            search=given.get("search", "").strip(),
            role=given.get("role", ""),
            owner=given.get("owner", ""),
            sort=sort if sort in SORTS else "name",
            cursor=given.get("cursor", ""),
            more=tuple((name, given[name]) for name in MORE if given.get(name)),
            table=tuple((name, given[name]) for name in tables.OWN if given.get(name)),
        )

    def address(self, **changed: str) -> str:
        """Return the query of the same list with something else; any change but of the page begins anew."""
        wanted = {name: getattr(self, name) for name in ("view", "search", "role", "owner", "sort")}
        wanted |= dict(self.more) | dict(self.table) | changed
        usual = {"view": "all", "sort": "name"}
        kept = {name: value for name, value in wanted.items() if value and usual.get(name) != value}
        return f"?{urlencode(kept)}" if kept else "?"

    def filters(self, viewer: Viewer) -> dict[str, str]:
        """Return the filters that counts have too: everything but the view."""
        owner = "me" if self.view == "mine" else self.owner
        given = {"search": self.search, "role": self.role, "owner": owner}
        return {name: value for name, value in given.items() if value}


@require_safe
@page
def listed(viewer: Viewer) -> HttpResponse:
    """Show the list, or (for a search as it is typed) the part of the page with the rows."""
    asked = Asked.of(viewer.request.GET)
    filters = asked.filters(viewer)
    query = {**filters, **dict(asked.more), **VIEWS[asked.view][1], "sort": asked.sort, "limit": str(PAGE)}
    shape = tables.shape_of(viewer, "service-accounts")
    want_depth(not DEEP.isdisjoint(shape.columns))
    found = viewer.get(
        "list_service_accounts", query={**query, **({"cursor": asked.cursor} if asked.cursor else {})}
    )
    counts = viewer.get("count_service_accounts", query=filters)
    present = _present(counts)
    nothing = not found["items"] and filters
    total = _present(viewer.get("count_service_accounts")) if nothing else present
    numbers = {"all": present, "mine": present if asked.view == "mine" else None, **counts}
    views = [
        {"name": name, "label": label, "query": asked.address(view=name), "count": numbers.get(name)}
        for name, (label, _filter) in VIEWS.items()
    ]
    return viewer.render(
        "accounts.html",
        asked=asked,
        accounts=[shown(viewer, each) for each in _with_more(viewer, found["items"], shape.columns)],
        shape=shape,
        tools=tables.tools(viewer, shape),
        view=saving.opened(viewer),
        following=asked.address() + _joined(asked.address(), found["next"]) if found["next"] else None,
        first=asked.address(),
        without={
            **{name: asked.address(**{name: ""}) for name in ("search", "role", "owner")},
            "all": asked.address(search="", role="", owner="", **{name: "" for name, _value in asked.more}),
            "more": [(LABELS[name], value, asked.address(**{name: ""})) for name, value in asked.more],
        },
        **_form(asked),
        matching=None if asked.more else numbers.get(asked.view),
        views=views,
        total=total,
        may_mean_all=asked.view in WHOLE and not asked.more,
        is_narrowed=bool(asked.search or asked.role or asked.owner or asked.more),
        sorts=_sorts(asked),
        place="accounts",
    )


def _form(asked: Asked) -> dict[str, Any]:
    """Return the further fields of the form, whether one is filled in, and what it keeps without a field."""
    more = dict(asked.more)
    return {
        "filters": [
            {"name": name, "label": label, "example": example, "value": more.get(name, "")}
            for name, (label, example) in FORM.items()
        ],
        "is_filtered": not FORM.keys().isdisjoint(more),
        "hidden": [(name, value) for name, value in asked.more if name not in FORM],
    }


def _present(counts: dict[str, int]) -> int:
    return sum(number for word, number in counts.items() if word != "deleted")


def _joined(address: str, cursor: str) -> str:
    return ("" if address == "?" else "&") + urlencode({"cursor": cursor})


def shown(viewer: Viewer, account: dict[str, Any]) -> dict[str, Any]:
    """Return an account with how its status looks, and what may be done to it."""
    return {**account, "look": ACCOUNT[account["status"]], "is_enabled": account["state"] == "enabled"}


def _sorts(asked: Asked) -> dict[str, dict[str, str]]:
    """Return for each column that sorts: the address that turns it, and its present direction."""
    found = {}
    for column in ("name", "created_at"):
        down = asked.sort == column
        direction = "ascending" if down else "descending" if asked.sort == f"-{column}" else "none"
        found[column] = {
            "query": asked.address(sort=f"-{column}" if down else column),
            "direction": direction,
        }
    return found


@require_safe
@page
def export(viewer: Viewer) -> HttpResponseBase:
    """The accounts that the list would show, all pages of it, as a table or as lines of JSON."""
    asked = Asked.of(viewer.request.GET)
    query = {**asked.filters(viewer), **dict(asked.more), **VIEWS[asked.view][1], "sort": asked.sort}
    columns = tables.shape_of(viewer, "service-accounts").columns
    fields = (*ALWAYS, *(field for name in columns for field in FILED[name]))

    def told(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [_row(each) for each in _with_more(viewer, items, columns)]

    return exporting.listed(viewer, "list_service_accounts", query, fields, told, "service-accounts")


def _with_more(
    viewer: Viewer, accounts: list[dict[str, Any]], columns: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Return accounts with what only some columns show; nothing is read for a column that is not there."""
    ids = [each["id"] for each in accounts]
    more: dict[str, dict[str, Any]] = {ident: {} for ident in ids}
    reviewed: dict[str, datetime] = {}
    if DEEP & set(columns):
        rows = principals(ids)
        if "unused" in columns:
            used, reviewed = beside(ids, decisions(viewer.organization.id, ids))
            for ident, held in holdings(list(rows.values())).items():
                more[ident]["unused_permissions"] = sorted(held.names - used[ident])
        for ident, found in collections_among(list(rows.values())).items():
            for kind in ("group", "team"):
                more[ident][f"{kind}s"] = [each.name for each in found if each.kind == kind]
    if "last_reviewed" in columns:
        if "unused" not in columns:
            reviewed = last_reviewed(viewer.organization.id, ids)
        for ident, at in reviewed.items():
            more[ident]["last_reviewed_at"] = at.isoformat()
    if "traffic" in columns:
        for ident, one in week.of(viewer, ids).items():
            more[ident] |= {"week": one, "allowed_7d": one.allowed, "denied_7d": one.denied}
    return [{**each, **more[each["id"]]} for each in accounts]


def _row(account: dict[str, Any]) -> dict[str, Any]:
    owners = [each["handle"] for each in account["owners"]]
    made_by = (account["created_by"] or {}).get("handle")
    return {**account, "owners": owners, "usable_keys": account["keys"]["usable"], "created_by": made_by}
