"""Which columns a table has and how close its rows stand: in the address, else as this person chose last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import Http404, HttpResponse
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_safe

from retinue.server.console.viewer import Viewer, page

DENSITIES = {"comfortable": lazy("Comfortable"), "compact": lazy("Compact")}
#: What an address says of the table; everything else in it narrows or sorts the list.
OWN = ("columns", "density", "saved")
_COOKIE, _YEAR = "retinue-table-", 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, whether it is there usually, and from which width of the window on."""

    label: object
    is_usual: bool = True
    at: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A list of the API as a table of the console: the page, the file that it leaves as, and its columns."""

    place: str
    export: str
    columns: Mapping[str, Column]
    #: How many rows the file holds at most; 0 is all that match.
    most: int = 0


@dataclass(frozen=True, slots=True)
class Shape:
    """The table as it is shown. ``at`` is a class for each column: one that was chosen is never hidden."""

    list: str
    columns: tuple[str, ...]
    density: str
    is_chosen: bool
    at: Mapping[str, str]
    labels: Mapping[str, object]

    @property
    def is_compact(self) -> bool:
        """Whether rows stand close together."""
        return self.density == "compact"


def _wide(label: object) -> Column:
    return Column(label, at="at-wide")


def _more(label: object) -> Column:
    return Column(label, is_usual=False)


#: The names are those of saved views (``api.saved_views``); a test compares them.
TABLES: dict[str, Table] = {
    "service-accounts": Table(
        "accounts",
        "accounts_export",
        {
            "status": Column(lazy("Status")),
            "owner": _wide(lazy("Owner")),
            "access": Column(lazy("Access"), at="at-medium"),
            "keys": Column(lazy("Credentials"), at="at-medium"),
            "last_used": Column(lazy("Last used"), at="at-small"),
            "created": Column(lazy("Created"), at="at-widest"),
            "enabled": Column(lazy("Enabled"), at="at-small"),
            "groups": _more(lazy("Groups")),
            "teams": _more(lazy("Teams")),
            "environment": _more(lazy("Environment")),
            "systems": _more(lazy("Systems")),
            "created_by": _more(lazy("Created by")),
            "last_reviewed": _more(lazy("Last reviewed")),
            "unused": _more(lazy("Unused permissions")),
            "traffic": _more(lazy("Traffic 7 d")),
        },
    ),
    "credentials": Table(
        "credentials",
        "credentials_export",
        {
            "status": Column(lazy("Status")),
            "of": Column(lazy("Of"), at="at-medium"),
            "kind": _wide(lazy("Kind")),
            "issued": _wide(lazy("Issued")),
            "last_used": Column(lazy("Last used"), at="at-small"),
            "expires": Column(lazy("Expires"), at="at-medium"),
            "issued_by": _more(lazy("Issued by")),
            "restrictions": _more(lazy("Restrictions")),
            "uses": _more(lazy("Uses")),
            "format": _more(lazy("Format")),
            "rotate_by": _more(lazy("Rotate by")),
        },
    ),
    "requests": Table(
        "requests",
        "requests_export",
        {
            "decision": Column(lazy("Decision")),
            "account": Column(lazy("Account")),
            "request": Column(lazy("Request")),
            "permission": Column(lazy("Permission"), at="at-medium"),
            "credential": Column(lazy("Credential"), at="at-medium"),
            "address": _wide(lazy("Address")),
            "node": _wide(lazy("Node")),
            "took": Column(lazy("Microseconds"), at="at-widest"),
            "client": _more(lazy("Client")),
            "status": _more(lazy("Status")),
            "route": _more(lazy("Route")),
        },
        most=10_000,
    ),
    "audit-events": Table(
        "audit",
        "audit_export",
        {
            "who": Column(lazy("By whom")),
            "channel": Column(lazy("Channel")),
            "address": Column(lazy("Address")),
            "reason": Column(lazy("Reason")),
            "changes": Column(lazy("Before and after")),
            "id": Column(lazy("Number of the event")),
        },
    ),
}


def shape_of(viewer: Viewer, list_: str) -> Shape:
    """Return what the address asks for, else what this person chose in this browser, else the usual."""
    table, given = TABLES[list_], viewer.request.GET
    who, _, kept = viewer.request.COOKIES.get(_COOKIE + list_, "").partition(":")
    columns, _, density = kept.partition("|") if who == viewer.person.id else ("", "", "")
    wanted = _known(table, given.get("columns") or columns)
    density = given.get("density") or density
    usual = tuple(name for name, column in table.columns.items() if column.is_usual)
    return Shape(
        list_,
        wanted or usual,
        density if density in DENSITIES else "comfortable",
        bool(wanted),
        {name: "" if wanted else column.at for name, column in table.columns.items()},
        {name: column.label for name, column in table.columns.items()},
    )


def _known(table: Table, text: str) -> tuple[str, ...]:
    asked = set(text.replace(".", ",").split(","))
    return tuple(name for name in table.columns if name in asked)


def kept(viewer: Viewer) -> dict[str, str]:
    """Return what the address says of the table, so that links to other pages of it go on saying so."""
    given = viewer.request.GET
    return {name: given[name] for name in OWN if given.get(name)}


def tools(viewer: Viewer, shape: Shape) -> dict[str, Any]:
    """Return what the bar of a table shows: its columns to choose from, and the present filters as fields."""
    table = TABLES[shape.list]
    given = [(n, v) for n, v in viewer.request.GET.items() if v and n not in (*OWN, "cursor", "live")]
    query = {**dict(given), **kept(viewer)}
    files = {"columns": ",".join(shape.columns), **dict(given)}
    return {
        "columns": [
            {"name": name, "label": column.label, "is_shown": name in shape.columns}
            for name, column in table.columns.items()
        ],
        "densities": DENSITIES.items(),
        "fields": [*given, *((n, v) for n, v in kept(viewer).items() if n == "saved")],
        "url": viewer.url("table", shape.list),
        "views": f"{viewer.url('views')}?{urlencode({'of': shape.list, **query})}",
        "csv": f"{viewer.url(table.export)}?{urlencode(files)}" if table.export else "",
        "json": f"{viewer.url(table.export)}?{urlencode({**files, 'form': 'json'})}" if table.export else "",
        "is_lines": shape.list == "audit-events",
        "most": table.most,
    }


@require_safe
@page
def choose(viewer: Viewer, name: str) -> HttpResponse:
    """Remember columns and density for this person in this browser, and go back to the list with them."""
    if name not in TABLES:
        raise Http404
    table, given = TABLES[name], viewer.request.GET
    is_reset = given.get("reset") == "yes"
    columns = () if is_reset else _known(table, ",".join(given.getlist("columns")))
    density = "" if is_reset or given.get("density") not in DENSITIES else given["density"]
    query = {n: v for n, v in given.items() if v and n not in ("columns", "density", "reset", "cursor")}
    query |= {"columns": ",".join(columns)} if columns else {}
    query |= {"density": density} if density else {}
    answer = viewer.leave(f"{viewer.url(table.place)}{'?' if query else ''}{urlencode(query)}")
    # No comma: a cookie's value would be put between quotes.
    value = f"{viewer.person.id}:{'.'.join(columns)}|{density}"
    answer.set_cookie(
        _COOKIE + name,
        value,
        max_age=0 if is_reset else _YEAR,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )
    return answer
