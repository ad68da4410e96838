"""Convert a personal access token that a program uses into a service account with its own key."""

from __future__ import annotations

import secrets
from typing import Any

from django.http import HttpResponse
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods

from retinue.server.console import expiring, receipts, revealing
from retinue.server.console.forms import Form
from retinue.server.console.viewer import Viewer, page

FIELDS = ("name", "purpose", "overlap", "expires", "other", "reason", "once")
OVERLAPS = ("1h", "24h", "7d")


@require_http_methods(["GET", "HEAD", "POST"])
@page
def convert(viewer: Viewer, token_id: str) -> HttpResponse:
    """Show what the account would be able to do; or make it, and show the token of its key once."""
    path = {"token_id": token_id}
    plan = viewer.get("plan_conversion", path)
    form = Form.read(viewer.request.POST, FIELDS)
    if viewer.request.method != "POST":
        form.values["once"] = secrets.token_hex(12)
        form.values["name"] = slugify(plan["token"]["name"] or "")
        return _page(viewer, plan, form)
    outcome = viewer.call("convert_token", path, body=_body(form), once=form.values["once"])
    if not outcome.is_done:
        return _page(viewer, plan, form.refused(outcome.body), form.status(outcome.status))
    made, receipt = outcome.body, outcome.body.get("receipt")
    told = None if receipt is None else receipts.told(receipt)
    after = viewer.url("account", made["account"]["id"])
    return revealing.shown_once(viewer, made["key"], made["token"], made["expiry"], after, told)


def _body(form: Form) -> dict[str, Any]:
    values = form.values
    body: dict[str, Any] = {name: values[name] for name in ("name", "purpose", "reason")}
    body |= {"justification": values["reason"]}
    body |= {"overlap": values["overlap"]} if values["overlap"] else {}
    ends = expiring.sent(values["expires"], values["other"])
    return body | ({"expires": ends} if ends else {})


def _page(viewer: Viewer, plan: dict[str, Any], form: Form, status: int = 200) -> HttpResponse:
    return viewer.render(
        "convert.html",
        status,
        plan=plan,
        form=form,
        choices=expiring.choices(viewer.policy),
        overlaps=OVERLAPS,
        missing=viewer.missing("convert_token"),
        is_purpose_required="purpose" in viewer.policy.accounts_required,
        place="tokens",
    )
