"""The list of service accounts: views, search, sort and pages in the address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseBase
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_safe

from retinue.server.console import exporting
from retinue.server.console.viewer import Viewer, page
from retinue.server.console.words import ACCOUNT

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
COLUMNS = (
    "id", "handle", "name", "status", "description", "purpose", "owners", "roles", "environment", "systems",
    "usable_keys", "last_used_at", "created_at",
)  # fmt: skip
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
        )

    def address(self, **changed: str) -> str:
        """Return the query of the same list with something else; any change but of the page begins anew."""
        wanted = {name: getattr(self, name) for name in ("view", "search", "role", "owner", "sort")} | changed
        usual = {"view": "all", "sort": "name"}
        kept = {name: value for name, value in wanted.items() if value and usual.get(name) != value}
        return f"?{urlencode(kept)}" if kept else "?"

    def filters(self, viewer: Viewer) -> dict[str, str]:
        """Return the filters that counts have too: everything but the view."""
        owner = viewer.person.id if self.view == "mine" else self.owner
        given = {"search": self.search, "role": self.role, "owner": owner}
        return {name: value for name, value in given.items() if value}


@require_safe
@page
def listed(viewer: Viewer) -> HttpResponse:
    """Show the list, or (for a search as it is typed) the part of the page with the rows."""
    asked = Asked.of(viewer.request.GET)
    filters = asked.filters(viewer)
    query = {**filters, **VIEWS[asked.view][1], "sort": asked.sort, "limit": str(PAGE)}
    found = viewer.get(
        "list_service_accounts", query={**query, **({"cursor": asked.cursor} if asked.cursor else {})}
    )
    counts = viewer.get("count_service_accounts", query=filters)
    present = _present(counts)
    total = present
    if not found["items"] and filters:
        total = _present(viewer.get("count_service_accounts"))
    numbers = {"all": present, "mine": present if asked.view == "mine" else None, **counts}
    views = [
        {"name": name, "label": label, "query": asked.address(view=name), "count": numbers.get(name)}
        for name, (label, _filter) in VIEWS.items()
    ]
    return viewer.render(
        "accounts.html",
        asked=asked,
        accounts=[shown(viewer, each) for each in found["items"]],
        following=asked.address() + _joined(asked.address(), found["next"]) if found["next"] else None,
        first=asked.address(),
        without={
            **{name: asked.address(**{name: ""}) for name in ("search", "role", "owner")},
            "all": asked.address(search="", role="", owner=""),
        },
        matching=numbers.get(asked.view),
        views=views,
        total=total,
        may_mean_all=asked.view in WHOLE,
        is_narrowed=bool(asked.search or asked.role or asked.owner),
        sorts=_sorts(asked),
        place="accounts",
    )


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
    query = {**asked.filters(viewer), **VIEWS[asked.view][1], "sort": asked.sort}
    return exporting.listed(viewer, "list_service_accounts", query, COLUMNS, _row, "service-accounts")


def _row(account: dict[str, Any]) -> dict[str, Any]:
    owners = [each["handle"] for each in account["owners"]]
    return {**account, "owners": owners, "usable_keys": account["keys"]["usable"]}
