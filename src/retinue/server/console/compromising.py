"""Compromise of an account, a user's tokens, or the organization: what would end, then all of it at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods

from retinue.server.console import receipts
from retinue.server.console.forms import Form
from retinue.server.console.viewer import Viewer, page
from retinue.server.console.words import CREDENTIAL

FIELDS = ("typed", "confirm", "reason")


@dataclass(frozen=True, slots=True)
class Scope:
    """What is compromised: its operations, its heading, the name to type, and where to go back to."""

    preview: str
    operation: str
    heading: object
    path: dict[str, str]
    typed: str
    back: str
    place: str


@require_http_methods(["GET", "HEAD", "POST"])
@page
def account(viewer: Viewer, account_id: str) -> HttpResponse:
    """All keys of an account."""
    path = {"account_id": account_id}
    found = viewer.get("get_service_account", path)
    heading = _("%(name)s is compromised") % {"name": found["name"]}
    back = viewer.url("account", account_id, "keys")
    return _page(
        viewer,
        Scope(
            "preview_account_compromise",
            "compromise_account",
            heading,
            path,
            found["handle"],
            back,
            "accounts",
        ),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@page
def user(viewer: Viewer, user_id: str) -> HttpResponse:
    """All personal access tokens of a user."""
    path = {"user_id": user_id}
    found = viewer.get("get_user", path)
    heading = _("The tokens of %(name)s are compromised") % {"name": found["name"]}
    back = viewer.url("user", user_id)
    return _page(
        viewer,
        Scope("preview_user_compromise", "compromise_user", heading, path, found["email"], back, "settings"),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@page
def organization(viewer: Viewer) -> HttpResponse:
    """Every credential of the organization, those of the person included."""
    return _page(
        viewer,
        Scope(
            "preview_organization_compromise",
            "compromise_organization",
            lazy("The organization is compromised"),
            {},
            viewer.organization.handle,
            viewer.url("credentials"),
            "credentials",
        ),
    )


def _page(viewer: Viewer, scope: Scope) -> HttpResponse:
    form, status = Form.read(viewer.request.POST, FIELDS), 200
    if viewer.request.method == "POST":
        if form.values["typed"] != scope.typed:
            form.errors["typed"] = _("Type %(name)s as it is written.") % {"name": scope.typed}
            status = 422
        else:
            text = form.values["confirm"]
            body: dict[str, Any] = {"confirm": int(text) if text.isascii() and text.isdigit() else 0}
            body |= {"reason": form.values["reason"]} if form.values["reason"] else {}
            outcome = viewer.call(scope.operation, scope.path, body=body)
            if outcome.is_done:
                done = _("All of it is revoked as compromised, for good.")
                receipts.say(viewer, outcome, done)
                return viewer.leave(scope.back)
            form.refused(outcome.body, {"confirm": "typed"})
            status = form.status(outcome.status)
    preview = viewer.get(scope.preview, scope.path)
    return viewer.render(
        "compromise.html",
        status,
        scope=scope,
        form=form,
        preview=preview,
        ended=[
            {**each, "look": CREDENTIAL[each["status"]], "kind_word": viewer.words.kind(each["kind"])}
            for each in preview["items"]
        ],
        missing=viewer.missing(scope.operation),
        place=scope.place,
    )
