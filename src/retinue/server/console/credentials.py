"""All credentials of the organization in one list, and which of them a token is."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import HttpResponse, HttpResponseBase
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from retinue.server.console import exporting, tables
from retinue.server.console.listing import Filter, Listing
from retinue.server.console.viewer import Viewer, page
from retinue.server.console.words import CREDENTIAL, KINDS

#: What a file has always, and what it has for each column that is shown.
ALWAYS = ("id", "key_id", "name")
FILED = {
    "status": ("status", "reason"),
    "of": ("account",),
    "kind": ("kind",),
    "issued": ("issued_at",),
    "last_used": ("last_used_at",),
    "expires": ("expires_at",),
    "issued_by": ("issued_by",),
    "restrictions": ("networks", "endpoints", "methods"),
    "uses": ("use_count",),
    "format": ("format",),
    "rotate_by": ("rotate_by",),
}
#: The statuses of a credential that works.
WORKING = frozenset({"active", "idle", "never_used", "expiring", "retiring"})
CREDENTIALS = Listing(
    "list_credentials",
    "credentials.html",
    "credentials",
    (
        Filter("search", lazy("Name or id")),
        Filter("kind", lazy("Kind"), KINDS),
        Filter("status", lazy("Status"), {name: look.word for name, look in CREDENTIAL.items()}),
        Filter("account", lazy("Account or user"), placeholder="etl-airflow"),
        Filter("used_within", lazy("Used in the last days"), placeholder="7"),
        Filter("unused_for", lazy("Not used for days"), placeholder="30"),
        Filter("expires_within", lazy("Ends in days"), placeholder="14"),
    ),
    shaped="credentials",
)


def _told(viewer: Viewer, item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "look": CREDENTIAL[item["status"]], "kind_word": viewer.words.kind(item["kind"])}


@require_safe
@page
def listed(viewer: Viewer) -> HttpResponse:
    """Keys, personal access tokens and ingest tokens together."""
    given = viewer.request.GET
    return CREDENTIALS.show(
        viewer,
        told=partial(_told, viewer),
        meant=[(each.name, given[each.name]) for each in CREDENTIALS.filters if given.get(each.name)],
    )


@require_safe
@page
def export(viewer: Viewer) -> HttpResponseBase:
    """The credentials that the list would show, all pages of it, as a table. No token is among them."""
    given = viewer.request.GET
    query = {each.name: given[each.name].strip() for each in CREDENTIALS.filters if given.get(each.name)}
    columns = tables.shape_of(viewer, "credentials").columns
    fields = (*ALWAYS, *(field for name in columns for field in FILED[name]))

    def told(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [_row(each) for each in items]

    return exporting.listed(viewer, "list_credentials", query, fields, told, "credentials")


def _row(item: dict[str, Any]) -> dict[str, Any]:
    people = {name: (item[name] or {}).get("handle") for name in ("account", "issued_by")}
    return {**item, **item["restrictions"], **people}


@sensitive_post_parameters("token")
@require_http_methods(["GET", "HEAD", "POST"])
@page
def identify(viewer: Viewer) -> HttpResponse:
    """Say which credential of this organization a pasted token is, by its public key id.

    The script of the page takes the key id out of the token. Without it, or where a token names no key id,
    the whole token is sent; it is digested, and kept nowhere.
    """
    missing = viewer.missing("identify_credential")
    key_id = viewer.request.GET.get("key_id", "").strip()
    token = viewer.request.POST.get("token", "").strip()
    found: dict[str, Any] | None = None
    problem: dict[str, Any] | None = None
    if key_id and not missing and not token:
        found = _of_key_id(viewer, key_id)
    elif token and not missing:
        outcome = viewer.call("identify_credential", body={"token": token})
        if outcome.is_done:
            found = {**outcome.body, "key": _told(viewer, outcome.body["key"])}
        elif outcome.code != "not_found":
            problem = outcome.body
    return viewer.render(
        "identify.html",
        found=found,
        problem=problem,
        is_unknown=bool(key_id or token) and found is None and problem is None and not missing,
        key_id="" if token else key_id,
        missing=missing,
        place="credentials",
    )


def _of_key_id(viewer: Viewer, key_id: str) -> dict[str, Any] | None:
    """Return the credential with a key id, ended and deleted ones too, and whether it would be accepted."""
    for state in ({}, {"state": "deleted"}):
        query = {"search": key_id, "limit": "200", **state}
        for item in viewer.get("list_credentials", query=query)["items"]:
            if item["key_id"] == key_id:
                accepted = item["status"] in WORKING
                reason = item["reason"] or item["status"]
                return {"key": _told(viewer, item), "accepted": accepted, "reason": reason}
    return None
