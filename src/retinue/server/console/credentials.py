"""All credentials of the organization in one list, and which of them a token is."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from retinue.server.console.listing import Filter, Listing
from retinue.server.console.viewer import Viewer, page
from retinue.server.console.words import CREDENTIAL, KINDS

CREDENTIALS = Listing(
    "list_credentials",
    "credentials.html",
    "credentials",
    (
        Filter("search", lazy("Name or key id")),
        Filter("kind", lazy("Kind"), KINDS),
        Filter("status", lazy("Status"), {name: look.word for name, look in CREDENTIAL.items()}),
        Filter("account", lazy("Account or user"), placeholder="etl-airflow"),
        Filter("used_within", lazy("Used in the last days"), placeholder="7"),
        Filter("unused_for", lazy("Not used for days"), placeholder="30"),
        Filter("expires_within", lazy("Ends in days"), placeholder="14"),
    ),
)


def _told(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "look": CREDENTIAL[item["status"]], "kind_word": KINDS[item["kind"]]}


@require_safe
@page
def listed(viewer: Viewer) -> HttpResponse:
    """Keys, personal access tokens and ingest tokens together."""
    return CREDENTIALS.show(viewer, told=_told)


@sensitive_post_parameters("token")
@require_http_methods(["GET", "HEAD", "POST"])
@page
def identify(viewer: Viewer) -> HttpResponse:
    """Say which credential of this organization a pasted token is. It is digested, and kept nowhere."""
    missing = viewer.missing("identify_credential")
    found: dict[str, Any] | None = None
    problem: dict[str, Any] | None = None
    token = viewer.request.POST.get("token", "").strip()
    if token and not missing:
        outcome = viewer.call("identify_credential", body={"token": token})
        if outcome.is_done:
            found = {**outcome.body, "key": _told(outcome.body["key"])}
        else:
            problem = outcome.body
    return viewer.render(
        "identify.html",
        found=found,
        problem=None if problem is None or problem["code"] == "not_found" else problem,
        is_unknown=problem is not None and problem["code"] == "not_found",
        missing=missing,
        place="credentials",
    )
