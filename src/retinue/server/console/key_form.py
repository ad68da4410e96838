"""Issue a key: its name, its end, and where it will be used."""

from __future__ import annotations

import re
import secrets
from itertools import chain, count
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from retinue.server.console import expiring, revealing
from retinue.server.console.forms import Form, several
from retinue.server.console.viewer import Viewer, page

FIELDS = ("key_name", "expires", "other", "networks", "endpoints", "methods", "reason", "once")


@require_http_methods(["GET", "HEAD", "POST"])
@page
def issue(viewer: Viewer, account_id: str) -> HttpResponse:
    """Show the form; or issue the key, and show its token once."""
    account = viewer.get("get_service_account", {"account_id": account_id})
    if viewer.request.method != "POST":
        form = Form.read(viewer.request.GET, FIELDS)
        form.values["once"] = secrets.token_hex(12)
        if viewer.request.GET.get("replaces"):
            _like(viewer, form, account, viewer.request.GET["replaces"])
        if not form.values["key_name"]:
            form.values["key_name"] = _free(viewer, account_id, f"{account['handle']}-{timezone.now():%Y-%m}")
        return _page(viewer, account, form)
    form = Form.read(viewer.request.POST, FIELDS)
    outcome = viewer.call("issue_key", {"account_id": account_id}, body=_body(form), once=form.values["once"])
    if not outcome.is_done:
        refused = form.refused(outcome.body, {"name": "key_name"})
        return _page(viewer, account, refused, form.status(outcome.status))
    made = outcome.body
    return revealing.shown_once(
        viewer, made["key"], made["token"], made["expiry"], viewer.url("account", account_id, "keys")
    )


def _like(viewer: Viewer, form: Form, account: dict[str, Any], key_id: str) -> None:
    """Fill a form in from a key of the account that has ended: its name with the month, its restrictions."""
    old = viewer.get("get_key", {"key_id": key_id})
    if (old["account"] or {}).get("id") != account["id"]:
        return
    begin = re.sub(r"-\d{4}-\d{2}$", "", old["name"] or account["handle"])
    if not form.values["key_name"]:
        form.values["key_name"] = _free(viewer, account["id"], f"{begin}-{timezone.now():%Y-%m}")
    for name in ("networks", "endpoints", "methods"):
        form.values[name] = form.values[name] or ", ".join(old["restrictions"].get(name) or ())


def _free(viewer: Viewer, account_id: str, name: str) -> str:
    """Return ``name``, or the first of ``name-2``, ``name-3`` … that no key of the account bears.

    Who may not see the keys gets ``name``; the refusal of one that is taken says so then.
    """
    outcome = viewer.call("list_keys_of_account", {"account_id": account_id}, query={"limit": "100"})
    taken = {str(each["name"]).casefold() for each in outcome.body["items"]} if outcome.is_done else set()
    numbered = (f"{name}-{n}" for n in count(2))
    return next(each for each in chain((name,), numbered) if each.casefold() not in taken)


def _body(form: Form) -> dict[str, Any]:
    values = form.values
    lists = {name: several(values[name]) for name in ("networks", "endpoints", "methods")}
    return {
        "name": values["key_name"] or None,
        "expires": expiring.sent(values["expires"], values["other"]),
        "reason": values["reason"],
        "restrictions": {name: given for name, given in lists.items() if given}
        if any(lists.values())
        else None,
    }


def _page(viewer: Viewer, account: dict[str, Any], form: Form, status: int = 200) -> HttpResponse:
    policy = viewer.policy
    return viewer.render(
        "key_new.html",
        status,
        account=account,
        form=form,
        choices=expiring.choices(policy, account["environment"]),
        missing=viewer.missing("issue_key"),
        most=policy.credentials_max_usable,
        restrictions=policy.credentials_restrictions,
        is_name_required=policy.credentials_name.required,
        place="accounts",
    )
