"""Create a service account: all of it, its first key included, or nothing."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, QueryDict
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from retinue.server.access.queries import roles
from retinue.server.console import expiring, revealing
from retinue.server.console.forms import Form
from retinue.server.console.viewer import Viewer, page
from retinue.server.directory import naming
from retinue.server.errors import Refused

FIELDS = (
    "name", "description", "purpose", "owners", "environment", "systems", "documentation", "justification",
    "key", "key_name", "expires", "other", "copy_from", "once",
)  # fmt: skip
MANY = ("roles", "permissions", "groups", "teams")


@require_http_methods(["GET", "HEAD", "POST"])
@page
def create(viewer: Viewer) -> HttpResponse:
    """Show the form, which the address may fill in; or make the account and show its key once."""
    if viewer.request.method != "POST":
        return _page(viewer, _fresh(viewer, viewer.request.GET))
    form = Form.read(viewer.request.POST, FIELDS, MANY)
    outcome = viewer.call("create_service_account", body=_body(viewer, form), once=form.values["once"])
    if not outcome.is_done:
        return _page(
            viewer,
            form.refused(outcome.body, {"key.name": "key_name", "key.expires": "expires"}),
            form.status(outcome.status),
        )
    made = outcome.body
    again = ""
    if "another" in viewer.request.POST:
        kept = {
            "owners": form.values["owners"],
            "environment": form.values["environment"],
            "groups": form.lists["groups"],
        }
        again = viewer.url("account_new") + "?" + urlencode({k: v for k, v in kept.items() if v}, doseq=True)
    after = again or viewer.url("account", made["id"])
    if made["token"] is not None:
        return revealing.shown_once(viewer, made["key"], made["token"], made["expiry"], after)
    viewer.say(_("%(name)s was created.") % {"name": made["name"]}, tone="good")
    return viewer.leave(after)


def _fresh(viewer: Viewer, given: QueryDict) -> Form:
    form = Form.read(given, FIELDS, MANY)
    form.values["once"] = secrets.token_hex(12)
    form.values["owners"] = form.values["owners"] or viewer.person.email
    if "key" not in given:
        form.values["key"] = "yes" if viewer.policy.accounts_initial_credential == "prompt" else ""
    return form


def _body(viewer: Viewer, form: Form) -> dict[str, Any]:
    """Return what the API takes; an empty field is left out, so that the policy's own rule speaks."""
    values = form.values
    body: dict[str, Any] = {
        name: values[name]
        for name in ("name", "description", "purpose", "environment", "documentation", "justification")
        if values[name]
    }
    body["name"] = values["name"]
    body["owners"] = [each.strip() for each in values["owners"].split(",") if each.strip()]
    body["systems"] = [each.strip() for each in values["systems"].split(",") if each.strip()]
    body |= {name: form.lists[name] for name in MANY if form.lists[name]}
    if values["copy_from"]:
        body["copy_from"] = {"account": values["copy_from"]}
    policy = viewer.policy.accounts_initial_credential
    if policy != "none" and values["key"]:
        ends = expiring.sent(values["expires"], values["other"])
        body["key"] = {"name": values["key_name"] or None, "expires": ends}
    return body


def _page(viewer: Viewer, form: Form, status: int = 200) -> HttpResponse:
    policy = viewer.policy
    named = roles(viewer.person.organization_id)
    return viewer.render(
        "account_new.html",
        status,
        form=form,
        rule_help=_("Rule: %(rule)s") % {"rule": policy.accounts_name_pattern}
        if policy.accounts_name_pattern
        else "",
        preview=_handle(viewer, form.values["name"]),
        roles=[
            {
                "handle": each.handle,
                "name": each.name,
                "description": each.description,
                "why_not": _("never for service accounts")
                if each.handle in policy.forbidden_for_service.roles
                else "",
            }
            for each in sorted(named.values(), key=lambda each: each.name)
        ]
        if "role" in policy.grants_sources
        else [],
        needs=dict.fromkeys(policy.accounts_required, True),
        environments=sorted(policy.expiry_by_environment),
        first_key=policy.accounts_initial_credential,
        choices=expiring.choices(policy, form.values["environment"]),
        may_key=viewer.missing("issue_key"),
        place="accounts",
    )


def _handle(viewer: Viewer, name: str) -> str:
    """Return the handle that an account of this name would get, as far as the name decides it."""
    if not name:
        return ""
    try:
        return naming.handle(name, None, viewer.policy)
    except Refused:
        return ""


@require_safe
@page
def handle(viewer: Viewer) -> HttpResponse:
    """Say, while a name is typed, which handle it becomes, if it follows the rule, and who has it already."""
    name = viewer.request.GET.get("name", "").strip()
    made, wrong, taken = _handle(viewer, name), "", None
    try:
        if name:
            naming.check_convention(name, viewer.policy)
    except Refused as refused:
        wrong = refused.detail
    if made and viewer.policy.accounts_unique == "handle":
        found = viewer.get("list_service_accounts", query={"handle": made, "limit": "1"})["items"]
        taken = found[0] if found else None
    return viewer.render("parts/handle.html", made=made, wrong=wrong, taken=taken, name=name)
