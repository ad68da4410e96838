"""Changes of an account: what it is called and for whom, and what it may."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from retinue.server.console import account_page, receipts
from retinue.server.console.forms import Form
from retinue.server.console.viewer import Viewer, page

TEXTS = ("name", "description", "purpose", "environment", "documentation")
FIELDS = (*TEXTS, "owners", "systems", "reason")


@require_POST
@page
def settings(viewer: Viewer, account_id: str) -> HttpResponse:
    """Save what changed on the Settings tab, or show the form again with what is wrong."""
    form = Form.read(viewer.request.POST, FIELDS)
    present = viewer.get("get_service_account", {"account_id": account_id})
    body: dict[str, Any] = {name: form.values[name] for name in TEXTS if form.values[name] != present[name]}
    lists = {
        name: [each.strip() for each in form.values[name].split(",") if each.strip()]
        for name in ("owners", "systems")
    }
    if lists["systems"] != present["systems"]:
        body["systems"] = lists["systems"]
    if lists["owners"] != [each["handle"] for each in present["owners"]]:
        body["owners"] = lists["owners"]
    outcome = viewer.call(
        "update_service_account", {"account_id": account_id}, body={**body, "reason": form.values["reason"]}
    )
    if not outcome.is_done:
        form.refused(outcome.body)
        context = {"policy": viewer.policy, "form": form}
        return account_page.tab_page(viewer, present, "settings", context, form.status(outcome.status))
    _say(viewer, _("Saved."), outcome.body)
    return viewer.leave(viewer.url("account", account_id, "settings"))


@require_POST
@page
def grant(viewer: Viewer, account_id: str) -> HttpResponse:
    """Grant a permission to an account, or take a direct grant away."""
    sent = viewer.request.POST
    path = {"account_id": account_id}
    if sent.get("grant"):
        reason = {"reason": sent["reason"]} if sent.get("reason") else {}
        outcome = viewer.call("delete_grant", {**path, "grant_id": sent["grant"]}, query=reason)
        said = _("%(name)s is taken away.") % {"name": sent.get("permission", "")}
    else:
        body = {
            "permission": sent.get("permission", ""),
            "justification": sent.get("justification", "").strip(),
        }
        outcome = viewer.call("create_grant", path, body=body)
        said = _("%(name)s is granted.") % {"name": sent.get("permission", "")}
    _after(viewer, outcome, said)
    return viewer.leave(viewer.url("account", account_id, "access"))


@require_POST
@page
def hold_roles(viewer: Viewer, account_id: str) -> HttpResponse:
    """Give an account exactly the chosen roles."""
    sent = viewer.request.POST
    body = {"roles": sent.getlist("roles"), "justification": sent.get("justification", "").strip()}
    outcome = viewer.call("update_service_account", {"account_id": account_id}, body=body)
    _after(viewer, outcome, _("The roles are saved. They hold for all credentials of the account."))
    return viewer.leave(viewer.url("account", account_id, "access"))


def _after(viewer: Viewer, outcome: Any, said: str) -> None:
    if outcome.is_done:
        _say(viewer, said, outcome.body)
    else:
        problem = outcome.body
        viewer.say(problem["title"], tone="bad", detail=problem.get("detail") or "")


def _say(viewer: Viewer, said: str, body: dict[str, Any]) -> None:
    receipt = body.get("receipt")
    if receipt is None:
        viewer.say(said, tone="good")
        return
    told = receipts.told(receipt)
    viewer.say(said, tone="good" if told.is_complete else "warn", detail=told.sentence, receipt=told.id)
