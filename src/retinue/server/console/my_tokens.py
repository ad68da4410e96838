"""Personal access tokens of one's own: the list, and the form that issues one."""

from __future__ import annotations

import secrets
from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_http_methods, require_safe

from retinue.server.console import expiring, revealing
from retinue.server.console.acts import MY_ACTS, operations
from retinue.server.console.forms import Form
from retinue.server.console.listing import Listing
from retinue.server.console.viewer import Viewer, page
from retinue.server.console.words import CREDENTIAL
from retinue.server.governance import queries as governance
from retinue.token import Kind

TOKENS = Listing("list_my_tokens", "my_tokens.html", "tokens")
FIELDS = ("key_name", "expires", "other", "reason", "once")


def _told(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "look": CREDENTIAL[item["status"]]}


@require_safe
@page
def listed(viewer: Viewer) -> HttpResponse:
    """One's own tokens; those that a program seems to use stand first, with the way out."""
    return TOKENS.show(
        viewer,
        told=_told,
        is_allowed=viewer.policy.pat_enabled,
        operations=operations(MY_ACTS),
        automated=_automated(viewer),
    )


def _automated(viewer: Viewer) -> list[dict[str, Any]]:
    """Return the viewer's tokens that are found to be a program's; none to whom may not see findings."""
    governance.settle()
    query = {"kind": "pat_in_production", "account": viewer.person.id}
    outcome = viewer.call("list_findings", query=query)
    return [each["subject"] for each in outcome.body.get("items", [])]


@require_http_methods(["GET", "HEAD", "POST"])
@page
def issue(viewer: Viewer) -> HttpResponse:
    """Show the form; or issue the token, and show it once."""
    form = Form.read(viewer.request.POST, FIELDS)
    status = 200
    if viewer.request.method == "POST":
        ends = expiring.sent(form.values["expires"], form.values["other"])
        body = {"name": form.values["key_name"] or None, "expires": ends, "reason": form.values["reason"]}
        outcome = viewer.call("issue_my_token", body=body, once=form.values["once"])
        if outcome.is_done:
            made = outcome.body
            return revealing.shown_once(
                viewer, made["key"], made["token"], made["expiry"], viewer.url("my_tokens")
            )
        form.refused(outcome.body, {"name": "key_name"})
        status = form.status(outcome.status)
    else:
        form.values["once"] = secrets.token_hex(12)
    return viewer.render(
        "my_token_new.html",
        status,
        form=form,
        choices=expiring.choices(viewer.policy, kind=Kind.PERSONAL),
        missing=viewer.missing("issue_my_token"),
        place="tokens",
    )
