"""Changes of an account: what it is called and for whom, and what it may."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from retinue.server.api.inside import Outcome
from retinue.server.console import account_page, receipts
from retinue.server.console.forms import Form
from retinue.server.console.viewer import Viewer, page

TEXTS = ("name", "description", "purpose", "environment", "documentation")
FIELDS = (*TEXTS, "owners", "systems", "reason")


@require_POST
@page
def settings(viewer: Viewer, account_id: str) -> HttpResponse:
    """Save what was changed on the Settings tab, or show the form again with what is wrong.

    The form says what it showed: what others changed meanwhile stays, unless the same field was changed here.
    """
    form = Form.read(viewer.request.POST, FIELDS)
    present = viewer.get("get_service_account", {"account_id": account_id})
    now = account_page.written(present)
    seen = Form.read(viewer.request.POST, [f"seen_{name}" for name in now]).values
    changed = {name for name in now if form.values[name] != seen[f"seen_{name}"]}
    for name in changed:
        if now[name] not in (seen[f"seen_{name}"], form.values[name]):
            form.errors[name] = _("Somebody else has changed it meanwhile: %(now)s") % {
                "now": now[name] or "–"
            }
    if form.errors:
        return _again(viewer, present, form, now, 409)
    body: dict[str, Any] = {name: form.values[name] for name in changed & set(TEXTS)}
    for name in changed - set(TEXTS):
        body[name] = [each.strip() for each in form.values[name].split(",") if each.strip()]
    outcome = viewer.call(
        "update_service_account", {"account_id": account_id}, body={**body, "reason": form.values["reason"]}
    )
    if not outcome.is_done:
        form.refused(outcome.body)
        return _again(viewer, present, form, now, form.status(outcome.status))
    receipts.say(viewer, outcome, _("Saved."))
    return viewer.leave(viewer.url("account", account_id, "settings"))


def _again(
    viewer: Viewer, account: dict[str, Any], form: Form, seen: dict[str, str], status: int
) -> HttpResponse:
    context = {"policy": viewer.policy, "form": form, "seen": seen}
    return account_page.tab_page(viewer, account, "settings", context, status)


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
    receipts.say(viewer, outcome, said)
    return viewer.leave(viewer.url("account", account_id, "access"))


@require_POST
@page
def join(viewer: Viewer, account_id: str) -> HttpResponse:
    """Put an account into a group, team or access policy, or take it out."""
    sent = viewer.request.POST
    kind, ident = sent.get("kind", ""), sent.get("id", "-")
    takes = bool(sent.get("remove"))
    if kind not in ("group", "team", "policy"):
        raise Http404
    if kind == "policy":
        outcome = _named_by(viewer, ident, account_id, takes=takes)
    else:
        body: dict[str, Any] = {"members": [account_id]}
        if sent.get("justification") and not takes:
            body["justification"] = sent["justification"].strip()
        outcome = viewer.call(
            f"remove_from_{kind}" if takes else f"add_to_{kind}", {f"{kind}_id": ident}, body=body
        )
    said = _("It is taken out. What came by this is gone.") if takes else _("It belongs to it now.")
    receipts.say(viewer, outcome, said)
    return viewer.leave(viewer.url("account", account_id, "access"))


def _named_by(viewer: Viewer, policy_id: str, account_id: str, *, takes: bool) -> Outcome:
    """Have an access policy name an account, or not any more; whom else it names stays as it is."""
    body = {"remove_subjects" if takes else "add_subjects": [account_id]}
    return viewer.call("update_access_policy", {"policy_id": policy_id}, body=body)


@require_POST
@page
def hold_roles(viewer: Viewer, account_id: str) -> HttpResponse:
    """Give an account exactly the chosen roles."""
    sent = viewer.request.POST
    body = {"roles": sent.getlist("roles"), "justification": sent.get("justification", "").strip()}
    outcome = viewer.call("update_service_account", {"account_id": account_id}, body=body)
    receipts.say(viewer, outcome, _("The roles are saved. They hold for all credentials of the account."))
    return viewer.leave(viewer.url("account", account_id, "access"))
