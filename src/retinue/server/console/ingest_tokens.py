"""Ingest tokens: they belong to the organization, and write to the paths that they are bound to."""

from __future__ import annotations

import secrets
from typing import Any

from django.http import Http404, HttpResponse
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods, require_safe

from retinue.server.console import acting, expiring, revealing
from retinue.server.console.acts import INGEST_ACTS, operations
from retinue.server.console.forms import Form, several
from retinue.server.console.listing import Filter, Listing
from retinue.server.console.viewer import Viewer, page
from retinue.server.console.words import CREDENTIAL
from retinue.token import Kind

TOKENS = Listing(
    "list_ingest_tokens",
    "ingest_tokens.html",
    "credentials",
    (
        Filter("name", lazy("Name")),
        Filter("status", lazy("Status"), {name: look.word for name, look in CREDENTIAL.items()}),
    ),
)
FIELDS = ("key_name", "endpoints", "expires", "other", "networks", "reason", "once")


def _check_used(viewer: Viewer) -> None:
    """Where the policy knows no ingest tokens, they have no pages."""
    if not viewer.policy.ingest_enabled:
        raise Http404


def _told(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "look": CREDENTIAL[item["status"]]}


@require_safe
@page
def listed(viewer: Viewer) -> HttpResponse:
    """All ingest tokens of the organization."""
    _check_used(viewer)
    return TOKENS.show(viewer, told=_told, section="ingest", operations=operations(INGEST_ACTS))


@require_http_methods(["GET", "HEAD", "POST"])
@page
def issue(viewer: Viewer) -> HttpResponse:
    """Show the form; or issue a token that is bound to its paths, and show it once."""
    _check_used(viewer)
    form = Form.read(viewer.request.POST, FIELDS)
    status = 200
    if viewer.request.method == "POST":
        outcome = viewer.call("issue_ingest_token", body=_body(form), once=form.values["once"])
        if outcome.is_done:
            made = outcome.body
            return revealing.shown_once(
                viewer, made["key"], made["token"], made["expiry"], viewer.url("ingest_tokens")
            )
        form.refused(outcome.body, {"name": "key_name"})
        status = form.status(outcome.status)
    else:
        form.values["once"] = secrets.token_hex(12)
    return viewer.render(
        "ingest_token_new.html",
        status,
        form=form,
        choices=expiring.choices(viewer.policy, kind=Kind.INGEST),
        restrictions=viewer.policy.credentials_restrictions,
        missing=viewer.missing("issue_ingest_token"),
        place="credentials",
    )


def _body(form: Form) -> dict[str, Any]:
    values, networks = form.values, several(form.values["networks"])
    return {
        "name": values["key_name"] or None,
        "endpoints": several(values["endpoints"]),
        "expires": expiring.sent(values["expires"], values["other"]),
        "reason": values["reason"],
        "restrictions": {"networks": networks} if networks else None,
    }


@require_http_methods(["GET", "HEAD", "POST"])
@page
def act(viewer: Viewer, key_id: str, name: str) -> HttpResponse:
    """Show an act on an ingest token, or do it."""
    _check_used(viewer)
    if name not in INGEST_ACTS:
        raise Http404
    path = {"token_id": key_id}
    key = viewer.get("get_ingest_token", path)
    return acting.act_on_credential(viewer, INGEST_ACTS[name], path, key, 0, viewer.url("ingest_tokens"))
