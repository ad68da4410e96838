"""What is changed in the matrix of an account: looked at first, then saved, all of it or nothing."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from retinue.server.console import receipts
from retinue.server.console.forms import Form
from retinue.server.console.viewer import Viewer, page

#: What the form showed as granted and as inherited, and what is ticked now.
SHOWN = ("had", "had_inherited", "permissions", "inherited")
CHANGE = ("grant", "take")
TEXTS = ("justification", "reason")


@require_POST
@page
def change(viewer: Viewer, account_id: str) -> HttpResponse:
    """Say what would change, and what would not by this; or save what was looked at."""
    account = viewer.get("get_service_account", {"account_id": account_id})
    form = Form.read(viewer.request.POST, TEXTS, (*SHOWN, *CHANGE))
    if "save" in viewer.request.POST:
        return _save(viewer, account, form)
    lists = {name: set(given) for name, given in form.lists.items()}
    form.lists["grant"] = sorted(lists["permissions"] - lists["had"])
    form.lists["take"] = sorted(lists["had"] - lists["permissions"])
    stays = sorted(lists["had_inherited"] - lists["inherited"])
    if not (form.lists["grant"] or form.lists["take"] or stays):
        viewer.say(_("Nothing was changed."))
        return viewer.leave(viewer.url("account", account_id, "access"))
    return _page(viewer, account, form, stays=stays)


def _save(viewer: Viewer, account: dict[str, Any], form: Form) -> HttpResponse:
    body: dict[str, Any] = {name: form.lists[name] for name in CHANGE}
    body |= {name: form.values[name] for name in TEXTS if form.values[name]}
    outcome = viewer.call("change_grants", {"account_id": account["id"]}, body=body)
    if not outcome.is_done:
        return _page(viewer, account, form.refused(outcome.body), form.status(outcome.status))
    counted = {"more": len(outcome.body["granted"]), "less": len(outcome.body["taken"])}
    receipts.say(viewer, outcome, _("Saved: %(more)d granted, %(less)d taken away.") % counted)
    return viewer.leave(viewer.url("account", account["id"], "access"))


def _page(
    viewer: Viewer, account: dict[str, Any], form: Form, status: int = 200, stays: list[str] | None = None
) -> HttpResponse:
    part = viewer.call("list_effective_permissions", {"account_id": account["id"]})
    held = {each["permission"]: each for each in part.body["items"]} if part.is_done else {}
    elevated = viewer.policy.elevated
    return viewer.render(
        "account/grants.html",
        status,
        account=account,
        form=form,
        wrong=[form.errors[name] for name in CHANGE if name in form.errors],
        added=[{"name": name, "is_elevated": name in elevated.permissions} for name in form.lists["grant"]],
        taken=[{"name": name, "others": _other_paths(held.get(name))} for name in form.lists["take"]],
        stays=[{"name": name, "paths": _other_paths(held.get(name))} for name in stays or ()],
        is_needed=elevated.justification == "required"
        and bool(set(form.lists["grant"]) & set(elevated.permissions)),
        missing=viewer.missing("change_grants"),
        place="accounts",
    )


def _other_paths(held: dict[str, Any] | None) -> list[str]:
    """Return the paths by which a permission is held besides a direct grant of it alone."""
    if held is None:
        return []
    return sorted({each["text"] for each in held["sources"] if not _is_own(held["permission"], each)})


def _is_own(permission: str, source: dict[str, Any]) -> bool:
    is_direct = source["kind"] == "direct" and len(source["path"]) == 1
    return is_direct and source["name"] == permission and source["resource"] == "*"
