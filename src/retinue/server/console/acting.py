"""The pages of acts: what is at stake, the form, and what follows."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

import msgspec
from django.http import Http404, HttpResponse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from retinue.server.console import expiring, receipts, revealing
from retinue.server.console.acts import ACCOUNT_ACTS, KEY_ACTS, MY_ACTS, NARROWED, Act
from retinue.server.console.forms import Form
from retinue.server.console.viewer import Viewer, page
from retinue.server.console.words import REASONS
from retinue.server.traffic import counts
from retinue.server.traffic import queries as traffic
from retinue.token import Kind

DAY, WEEK = timedelta(days=1), timedelta(days=7)
#: How long an old key may work beside the new one; the policy's own stands first.
OVERLAPS = ("0s", "1h", "24h", "7d", "30d")
#: The acts whose page shows how a key is used.
IN_USE = ("revoke", "regenerate", "rotate", "finish", "undo", "delete")
KINDS = {"api_key": Kind.API_KEY, "personal_access_token": Kind.PERSONAL, "ingest_token": Kind.INGEST}
PLACES = {"api_key": "accounts", "personal_access_token": "tokens", "ingest_token": "credentials"}
RENAMED = {
    "name": "key_name",
    "text": "reason",
    "confirm": "typed",
}


@require_http_methods(["GET", "HEAD", "POST"])
@page
def act_on_account(viewer: Viewer, account_id: str, name: str) -> HttpResponse:
    """Show an act on an account, or do it."""
    if name not in ACCOUNT_ACTS:
        raise Http404
    act = ACCOUNT_ACTS[name]
    account = viewer.get("get_service_account", {"account_id": account_id})
    form = Form.read(viewer.request.POST, (*act.fields, "typed"))
    is_typed = _asks_for_name(viewer, act, account)
    usual = viewer.url("accounts") if name == "delete" else viewer.url("account", account_id)
    context = {
        "account": account,
        "subject": account["name"],
        "evidence": _of_account(viewer, account) if act.tone == "danger" else None,
        "typed": account["handle"] if is_typed else "",
    }
    if viewer.request.method != "POST":
        return _page(viewer, act, form, context, usual)
    if is_typed and form.values["typed"] != account["handle"]:
        form.errors["typed"] = _("Type %(name)s as it is written.") % {"name": account["handle"]}
        return _page(viewer, act, form, context, usual, 422)
    return _do(viewer, act, form, {"account_id": account_id}, context, usual)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def act_on_key(viewer: Viewer, key_id: str, name: str) -> HttpResponse:
    """Show an act on a key, or do it."""
    if name not in KEY_ACTS:
        raise Http404
    path = {"key_id": key_id}
    key = viewer.get("get_key", path)
    usual = viewer.url("account", key["account"]["id"], "keys")
    others = _usable(viewer, key) if name in IN_USE else 0
    return act_on_credential(viewer, KEY_ACTS[name], path, key, others, usual)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def act_on_my_token(viewer: Viewer, key_id: str, name: str) -> HttpResponse:
    """Show an act on a personal access token of one's own, or do it."""
    if name not in MY_ACTS:
        raise Http404
    path = {"token_id": key_id}
    key = viewer.get("get_my_token", path)
    mine = viewer.get("list_my_tokens", query={"limit": "200"})["items"] if name in IN_USE else []
    others = sum(1 for each in mine if each["state"] == "active" and each["id"] != key["id"])
    return act_on_credential(viewer, MY_ACTS[name], path, key, others, viewer.url("my_tokens"))


def act_on_credential(
    viewer: Viewer, act: Act, path: dict[str, str], key: dict[str, Any], others: int, usual: str
) -> HttpResponse:
    """Show an act on a credential of any kind, or do it."""
    form = Form.read(viewer.request.POST, (*act.fields, "once"))
    if viewer.request.method != "POST":
        form.values["once"] = secrets.token_hex(12)
        form.values |= {"key_name": key["name"]} if act.name == "rename" else {}
        form.values |= _narrowed(key) if act.name == "restrict" else {}
    context = {
        "account": key["account"],
        "key": key,
        "subject": key["name"] or key["display"],
        "evidence": {**_of_key(viewer, key), "others": others} if act.name in IN_USE else None,
        "overlaps": [each for each in OVERLAPS if act.name != "regenerate" or each in ("0s", "1h", "24h")],
        "causes": REASONS,
        "choices": expiring.choices(viewer.policy, kind=KINDS[key["kind"]]),
    }
    if viewer.request.method != "POST":
        return _page(viewer, act, form, context, usual)
    return _do(viewer, act, form, path, context, usual)


def _narrowed(key: dict[str, Any]) -> dict[str, str]:
    """Return the restrictions of a credential as its form shows them."""
    given = key["restrictions"]
    shown = {name: ", ".join(given.get(name) or ()) for name in NARROWED}
    return {**shown, "times": msgspec.json.encode(given.get("times") or []).decode()}


def _do(
    viewer: Viewer, act: Act, form: Form, path: dict[str, str], context: dict[str, Any], usual: str
) -> HttpResponse:
    body = act.body(viewer, form)
    sent: dict[str, Any] = {"query": {n: v for n, v in body.items() if v}} if act.by_query else {"body": body}
    outcome = viewer.call(act.operation, path, once=form.values.get("once", ""), **sent)
    if not outcome.is_done:
        return _page(
            viewer, act, form.refused(outcome.body, RENAMED), context, usual, form.status(outcome.status)
        )
    back = _next(viewer, usual)
    if act.name == "duplicate":
        back = viewer.url("account", outcome.body["id"])
    if act.reveals and outcome.body.get("token"):
        made, receipt = outcome.body, outcome.body.get("receipt")
        told = None if receipt is None else receipts.told(receipt)
        return revealing.shown_once(viewer, made["key"], made["token"], made["expiry"], back, told)
    more = {}
    if act.name in ("disable", "enable") and "account_id" in path:
        other = "enable" if act.name == "disable" else "disable"
        if viewer.may(ACCOUNT_ACTS[other].operation):
            more["undo"] = viewer.url("account_act", path["account_id"], other)
    receipts.say(viewer, outcome, str(act.done) % {"name": context["subject"]}, **more)
    return viewer.leave(back)


def _page(
    viewer: Viewer, act: Act, form: Form, context: dict[str, Any], back: str, status: int = 200
) -> HttpResponse:
    shown = {
        **context,
        "act": act,
        "form": form,
        "title": viewer.words.title_of(act.name, act.title, context["subject"]),
        "missing": viewer.missing(act.operation),
        "back": _next(viewer, back),
        "place": PLACES[context["key"]["kind"]] if "key" in context else "accounts",
        "restrictions": viewer.policy.credentials_restrictions,
    }
    return viewer.render("act.html", status, **shown)


def _next(viewer: Viewer, usual: str) -> str:
    """Return where to go on: an address of this console that the form names, or the usual one."""
    asked = viewer.request.POST.get("next") or viewer.request.GET.get("next", "")
    own = asked.startswith(f"/o/{viewer.organization.handle}/")
    return asked if own and url_has_allowed_host_and_scheme(asked, allowed_hosts=None) else usual


def _asks_for_name(viewer: Viewer, act: Act, account: dict[str, Any]) -> bool:
    """Tell whether the name must be typed: where the policy says so, and to delete what was used of late."""
    if act.name == "disable":
        return viewer.policy.accounts_disable_confirm == "typed"
    return act.name == "delete" and _is_recent(account["last_used_at"])


def _is_recent(at: str | None) -> bool:
    since = (timezone.now() - WEEK).isoformat()
    return at is not None and at > since


def _of_account(viewer: Viewer, account: dict[str, Any]) -> dict[str, Any]:
    return {
        "last_used_at": account["last_used_at"],
        **_uses(viewer, account["id"], "account"),
        "usable": account["keys"]["usable"],
    }


def _usable(viewer: Viewer, key: dict[str, Any]) -> int:
    """Return how many other keys of the same account work now."""
    query = {"status": "usable", "limit": "200"}
    found = viewer.get("list_keys_of_account", {"account_id": key["account"]["id"]}, query=query)["items"]
    return sum(1 for each in found if each["id"] != key["id"])


def _of_key(viewer: Viewer, key: dict[str, Any]) -> dict[str, Any]:
    return {
        "last_used_at": key["last_used_at"],
        # By the index of its account, which for an ingest token is the organization.
        **_uses(viewer, key["id"], "credential", (key["account"] or {}).get("id") or viewer.organization.id),
        "networks": len(traffic.origins([key["id"]])[key["id"]]),
    }


def _uses(viewer: Viewer, ident: str, by: Any, account: str | None = None) -> dict[str, int]:
    now, organization = timezone.now(), viewer.organization.id
    day, week = counts.uses_since(organization, ident, now - DAY, now - WEEK, by=by, account=account)
    return {"day": day, "week": week}
