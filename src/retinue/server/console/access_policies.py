"""Access policies: rules that give roles to whom they take in, and whom that would be."""

from __future__ import annotations

import json
from typing import Any

from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from retinue.server.access.queries import roles
from retinue.server.console import receipts
from retinue.server.console.forms import Form, several
from retinue.server.console.listing import Filter, Listing
from retinue.server.console.viewer import Viewer, page

POLICIES = Listing(
    "list_access_policies", "access/policies.html", "access", (Filter("search", lazy("Name")),)
)
FIELDS = (
    "name", "description", "match", "conditions", "subjects", "enabled", "justification", "reason", "shown",
)  # fmt: skip
MATCHES = {"all": lazy("All conditions"), "any": lazy("Any condition")}
STATES = {
    "active": (lazy("In force"), "good", "active"),
    "disabled": (lazy("Switched off"), "", "disabled"),
    "pending": (lazy("Waits for a second person"), "warn", "clock"),
}


def _told(policy: dict[str, Any]) -> dict[str, Any]:
    word, tone, icon = STATES[policy["state"]]
    return {**policy, "state_word": word, "tone": tone, "icon": icon}


@require_safe
@page
def listed(viewer: Viewer) -> HttpResponse:
    """All access policies."""
    return POLICIES.show(viewer, told=_told, section="policies")


def _conditions(text: str) -> list[dict[str, Any]]:
    """Read conditions as people write them: a line a condition, ``environment: prod, staging``."""
    lines = (line.partition(":") for line in text.splitlines() if line.strip())
    return [{"field": field.strip(), "values": several(values)} for field, _colon, values in lines]


def _written(policy: dict[str, Any]) -> dict[str, str]:
    """Return a policy as its form shows it."""
    conditions = "\n".join(f"{each['field']}: {', '.join(each['values'])}" for each in policy["conditions"])
    return {
        "name": policy["name"],
        "description": policy["description"],
        "match": policy["match"],
        "conditions": conditions,
        "enabled": "yes" if policy["enabled"] else "",
    }


def _who(form: Form, policy: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return whom the form names: beside those that the policy names already, and without some of them."""
    named = [each["id"] for each in policy["subjects"]] if policy else []
    kept = [each for each in named if each not in form.lists.get("remove", ())]
    return {
        "match": form.values["match"] or "all",
        "conditions": _conditions(form.values["conditions"]),
        "subjects": [*kept, *several(form.values["subjects"])],
    }


def _change(form: Form) -> dict[str, Any]:
    """Return what the form changes of a policy: only what differs from what it showed."""
    shown = json.loads(form.values["shown"] or "{}")
    whole = _body(form)
    body = {name: whole[name] for name in ("name", "description", "match", "conditions", "enabled")
            if form.values[name] != shown.get(name)}  # fmt: skip
    body |= {name: whole[name] for name in ("justification", "reason") if name in whole}
    moved = {"add_subjects": several(form.values["subjects"]), "remove_subjects": form.lists["remove"]}
    return body | {name: given for name, given in moved.items() if given}


def _body(form: Form) -> dict[str, Any]:
    body = {**_who(form), "name": form.values["name"], "description": form.values["description"]}
    body["enabled"] = form.values["enabled"] == "yes"
    return body | {name: form.values[name] for name in ("justification", "reason") if form.values[name]}


@require_http_methods(["GET", "HEAD", "POST"])
@page
def create(viewer: Viewer) -> HttpResponse:
    """Make an access policy with the roles that it gives; or say whom it would take in."""
    form = Form.read(viewer.request.POST, FIELDS, ("roles", "permissions"))
    if viewer.request.method != "POST":
        form.values |= {"enabled": "yes", "match": "all"}
        return _page(viewer, None, form)
    if "preview" in viewer.request.POST:
        return _preview(viewer, None, form)
    body = {**_body(form), "roles": form.lists["roles"]}
    outcome = viewer.call("create_access_policy", body=body)
    if not outcome.is_done:
        return _page(viewer, None, form.refused(outcome.body), form.status(outcome.status))
    receipts.say(viewer, outcome, _("The access policy is made."))
    return viewer.leave(viewer.url("access_policy", outcome.body["id"]))


@require_http_methods(["GET", "HEAD", "POST"])
@page
def one(viewer: Viewer, policy_id: str) -> HttpResponse:
    """Show an access policy and whom it takes in, or change it."""
    policy = _told(viewer.get("get_access_policy", {"policy_id": policy_id}))
    if viewer.request.method != "POST":
        written = _written(policy)
        form = Form(
            {**dict.fromkeys(FIELDS, ""), **written, "shown": json.dumps(written)}, {"roles": policy["roles"]}
        )
        return _page(viewer, policy, form, matched=_matched(viewer, form, policy))
    form = Form.read(viewer.request.POST, FIELDS, ("remove",))
    form.lists["roles"] = policy["roles"]
    if "preview" in viewer.request.POST:
        return _preview(viewer, policy, form)
    outcome = viewer.call("update_access_policy", {"policy_id": policy_id}, body=_change(form))
    if not outcome.is_done:
        refused = form.refused(outcome.body, {"add_subjects": "subjects"})
        return _page(viewer, policy, refused, form.status(outcome.status))
    receipts.say(viewer, outcome, _("The access policy is saved."))
    return viewer.leave(viewer.url("access_policy", policy_id))


def _matched(viewer: Viewer, form: Form, policy: dict[str, Any] | None) -> dict[str, Any] | None:
    outcome = viewer.call("preview_access_policy", body=_who(form, policy))
    if not outcome.is_done:
        form.refused(outcome.body)
    return outcome.body if outcome.is_done else None


def _preview(viewer: Viewer, policy: dict[str, Any] | None, form: Form) -> HttpResponse:
    matched = _matched(viewer, form, policy)
    return _page(viewer, policy, form, 200 if matched else 422, matched=matched, is_tried=True)


def _page(
    viewer: Viewer, policy: dict[str, Any] | None, form: Form, status: int = 200, **context: Any
) -> HttpResponse:
    named = sorted(roles(viewer.person.organization_id).values(), key=lambda each: each.name)
    return viewer.render(
        "access/policy.html",
        status,
        policy=policy,
        form=form,
        matches=MATCHES.items(),
        roles=named,
        missing=viewer.missing("create_access_policy" if policy is None else "update_access_policy"),
        place="access",
        section="policies",
        **context,
    )


def _give(viewer: Viewer, policy_id: str) -> Any:
    sent = viewer.request.POST
    body = {"subject": policy_id, "role": sent.get("role", "")}
    return viewer.call("assign_role", body={**body, "justification": sent.get("justification", "").strip()})


def _take(viewer: Viewer, policy_id: str) -> Any:
    """Take a role away; it is named by its handle, as the policy's page shows it."""
    found = viewer.get("list_assignments", query={"subject": policy_id, "limit": "200"})["items"]
    wanted = viewer.request.POST.get("role", "")
    ident = next((each["id"] for each in found if each["role"]["handle"] == wanted), "-")
    return viewer.call("unassign_role", {"assignment_id": ident})


def _delete(viewer: Viewer, policy_id: str) -> Any:
    return viewer.call("delete_access_policy", {"policy_id": policy_id})


def _approve(viewer: Viewer, policy_id: str) -> Any:
    return viewer.call("approve_access_policy", {"policy_id": policy_id}, body={})


ACTS = {
    "give": (_give, lazy("The role is given to all whom the policy takes in.")),
    "take": (_take, lazy("The role is taken from all whom the policy takes in.")),
    "approve": (_approve, lazy("The access policy is in force.")),
    "delete": (_delete, lazy("The access policy is deleted. Whom it took in has nothing by it any more.")),
}


@require_POST
@page
def act(viewer: Viewer, policy_id: str, name: str) -> HttpResponse:
    """Change what an access policy gives, put it in force, or delete it; and say since when that holds."""
    if name not in ACTS:
        raise Http404
    change, done = ACTS[name]
    outcome = change(viewer, policy_id)
    receipts.say(viewer, outcome, str(done))
    is_gone = name == "delete" and outcome.is_done
    return viewer.leave(viewer.url("access_policies") if is_gone else viewer.url("access_policy", policy_id))
