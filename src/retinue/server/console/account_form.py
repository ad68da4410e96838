"""Create a service account: all of it, its first key included, or nothing."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, QueryDict
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from retinue.server.access.catalogue import covered
from retinue.server.access.paths import is_forbidden_group
from retinue.server.access.queries import catalogue, collections, roles
from retinue.server.access.role_actions import patterns_of as role_patterns
from retinue.server.console import expiring, revealing
from retinue.server.console.forms import Form, several
from retinue.server.console.viewer import Viewer, page
from retinue.server.directory import naming
from retinue.server.errors import Refused

FIELDS = (
    "name", "description", "purpose", "owners", "environment", "systems", "documentation", "justification",
    "key", "key_name", "expires", "other", "start", "start_role", "copy_from", "mode", "own_permissions",
    "once",
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
            form.refused(_placed(outcome.body), {"key.name": "key_name", "key.expires": "expires"}),
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


def _placed(problem: Mapping[str, Any]) -> dict[str, Any]:
    """Return a problem with the field of the form that shows what it is about."""
    field = str(problem.get("field") or "")
    return {**problem, "field": field.replace("body.permissions", "body.own_permissions")}


def _fresh(viewer: Viewer, given: QueryDict) -> Form:
    form = Form.read(given, FIELDS, MANY)
    form.values["once"] = secrets.token_hex(12)
    form.values["owners"] = form.values["owners"] or viewer.person.email
    form.values["start"] = form.values["start"] or ("account" if form.values["copy_from"] else "nothing")
    modes = viewer.policy.accounts_copy_permissions.modes
    form.values["mode"] = form.values["mode"] or (modes[0] if modes else "")
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
    if values["own_permissions"]:
        body["permissions"] = [*form.lists["permissions"], *several(values["own_permissions"])]
    source = _source(form)
    if source is not None:
        body["copy_from"] = source
    policy = viewer.policy.accounts_initial_credential
    if policy != "none" and values["key"]:
        ends = expiring.sent(values["expires"], values["other"])
        body["key"] = {"name": values["key_name"] or None, "expires": ends}
    return body


def _source(form: Form) -> dict[str, str] | None:
    """Return from whom the account has its permissions: a role, another account, or (``None``) nobody."""
    values = form.values
    start = values["start"] or ("account" if values["copy_from"] else "")
    named = {"role": values["start_role"], "account": values["copy_from"]}.get(start)
    return None if named is None else {start: named, "mode": values["mode"] or "copy"}


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
        starts=policy.accounts_copy_permissions.from_,
        modes=policy.accounts_copy_permissions.modes,
        all_roles=sorted(named.values(), key=lambda each: each.name),
        needs=dict.fromkeys(policy.accounts_required, True),
        environments=sorted(policy.expiry_by_environment),
        first_key=policy.accounts_initial_credential,
        choices=expiring.choices(policy, form.values["environment"]),
        groups=_collections(viewer, "group"),
        teams=_collections(viewer, "team"),
        may_grant="direct" in policy.grants_sources and not viewer.missing("create_grant"),
        may_key=viewer.missing("issue_key"),
        place="accounts",
    )


def _collections(viewer: Viewer, kind: str) -> list[dict[str, Any]]:
    """Return the groups or teams that an account can be put into; a barred group says so."""
    if kind not in viewer.policy.grants_sources:
        return []
    return [
        {
            "id": row.id,
            "name": row.name,
            "why_not": _("never for service accounts") if is_forbidden_group(row.name, viewer.policy) else "",
        }
        for row in collections(viewer.organization.id, kind)
    ]


@require_safe
@page
def effect(viewer: Viewer) -> HttpResponse:
    """Say, while the form is filled in, what the account would be able to do, and which rules it meets."""
    form = Form.read(viewer.request.GET, FIELDS, MANY)
    named = roles(viewer.person.organization_id)
    names, patterns = set(catalogue()), list(form.lists["permissions"])
    patterns += several(form.values["own_permissions"])
    for handle_ in form.lists["roles"]:
        patterns += role_patterns(named[handle_]) if handle_ in named else []
    if form.values["start"] == "role" and form.values["start_role"] in named:
        patterns += role_patterns(named[form.values["start_role"]])
    able = {name for pattern in patterns for name in covered(pattern, names)}
    able -= set(viewer.policy.forbidden_for_service.permissions)
    sensitive = sorted(able & set(viewer.policy.elevated.permissions))
    return viewer.render(
        "parts/effect.html",
        able=sorted(able),
        others=len(names) - len(able),
        unknown=sorted(each for each in patterns if not covered(each, names)),
        more=[*form.lists["groups"], *form.lists["teams"], *_account_of(form)],
        checks=_checks(viewer, form, sensitive),
    )


def _account_of(form: Form) -> list[str]:
    source = _source(form)
    return [source["account"]] if source and source.get("account") else []


def _checks(viewer: Viewer, form: Form, sensitive: list[str]) -> list[tuple[bool, str]]:
    """Return each rule of the policy that the form can meet: whether it does, and the rule in words."""
    policy, name = viewer.policy, form.values["name"]
    found = []
    if policy.accounts_name_pattern:
        try:
            naming.check_convention(name, policy)
            found.append((bool(name), _("The name follows the convention.")))
        except Refused as refused:
            found.append((False, refused.detail))
    for field in policy.accounts_required:
        given = form.values.get("owners" if field == "owner" else field, "")
        found.append(
            (
                bool(given),
                (_("%(field)s is stated.") if given else _("%(field)s is missing."))
                % {"field": _(field.replace("_", " ").capitalize())},
            )
        )
    if sensitive:
        is_told = policy.elevated.justification != "required" or bool(form.values["justification"])
        found.append((is_told, _("A justification for %(names)s.") % {"names": ", ".join(sensitive)}))
    lacking = sorted(set(sensitive) - viewer.held) if policy.grants_ceiling else []
    if lacking:
        found.append((False, _("You do not hold %(name)s yourself.") % {"name": ", ".join(lacking)}))
    return found


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
