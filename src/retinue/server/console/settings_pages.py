"""Settings: the organization, its notifications, and whether a revoke holds on every node."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from django.conf import settings
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods, require_POST

from retinue.server.console.forms import Form, several
from retinue.server.console.viewer import Viewer, page

WEBHOOK_FIELDS = ("name", "url", "events", "reason")
WEBHOOK_ACTS = {
    "enable": ("enable_webhook", lazy("The webhook is enabled.")),
    "disable": ("disable_webhook", lazy("The webhook is disabled.")),
    "test": ("test_webhook", lazy("A test message is on its way.")),
    "delete": ("delete_webhook", lazy("The webhook is deleted.")),
}
FEW = {"limit": "20"}
#: Where `retinue backup` leaves word, in the home.
LAST_BACKUP = "last-backup.json"


@require_http_methods(["GET", "HEAD", "POST"])
@page
def organization(viewer: Viewer) -> HttpResponse:
    """The organization's name, what its policy says about it, single sign-on, and backups."""
    form = Form.read(viewer.request.POST, ("name", "reason"))
    status = 200
    if viewer.request.method == "POST":
        body = {name: value for name, value in form.values.items() if value} | {"name": form.values["name"]}
        outcome = viewer.call("update_own_organization", body=body)
        if outcome.is_done:
            viewer.say(_("Saved."), tone="good")
            return viewer.leave(viewer.url("settings"))
        form.refused(outcome.body)
        status = form.status(outcome.status)
    found = viewer.get("get_own_organization")
    if viewer.request.method != "POST":
        form.values["name"] = found["name"]
    return viewer.render(
        "settings/organization.html",
        status,
        found=found,
        form=form,
        missing=viewer.missing("update_own_organization"),
        keys=_keys(viewer),
        provider=settings.INSTALLATION.provider,
        second_factor=settings.INSTALLATION.second_factor,
        backup=_last_backup() if viewer.person.is_operator else None,
        place="settings",
        section="organization",
    )


def _last_backup() -> dict[str, Any] | None:
    """Return the last backup that the command line found whole and left word of; ``None`` without one."""
    try:
        told = msgspec.json.decode(
            (settings.INSTALLATION.home / LAST_BACKUP).read_bytes(), type=dict[str, Any]
        )
        datetime.fromisoformat(told["made_at"])
        return told
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keys(viewer: Viewer) -> list[tuple[str, str, object]]:
    """Return what the policy says of the organization: in words, its key, and the value in force."""
    policy = viewer.policy
    return [
        (_("Words"), "terminology", policy.terminology),
        (_("Request log is kept, days"), "request_log.retention_days", policy.request_log.retention_days),
        (_("Audit log is kept, days"), "audit_log.retention_days", policy.audit_log.retention_days),
        (_("Lease of the nodes, seconds"), "freshness.lease_seconds", policy.freshness_lease_seconds),
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@page
def notifications(viewer: Viewer) -> HttpResponse:
    """Webhooks and mails; a form for another webhook, whose secret is shown once."""
    form = Form.read(viewer.request.POST, WEBHOOK_FIELDS)
    if viewer.request.method != "POST":
        form.values["events"] = "*"
        return _notifications(viewer, form)
    body: dict[str, Any] = {"name": form.values["name"], "url": form.values["url"]}
    body |= {"events": several(form.values["events"])} if form.values["events"] else {}
    body |= {"reason": form.values["reason"]} if form.values["reason"] else {}
    outcome = viewer.call("create_webhook", body=body)
    if not outcome.is_done:
        return _notifications(viewer, form.refused(outcome.body), form.status(outcome.status))
    return viewer.render(
        "settings/webhook_secret.html",
        webhook=outcome.body["webhook"],
        secret=outcome.body["secret"],
        place="settings",
        section="notifications",
    )


def _notifications(viewer: Viewer, form: Form, status: int = 200) -> HttpResponse:
    hooks = viewer.call("list_webhooks", query={"limit": "200"})
    mails = viewer.call("list_mails", query=FEW)
    return viewer.render(
        "settings/notifications.html",
        status,
        form=form,
        webhooks=hooks.body["items"] if hooks.is_done else None,
        mails=mails.body["items"] if mails.is_done else None,
        has_mail=settings.INSTALLATION.mail is not None,
        warn_days=viewer.policy.expiry_warn_days,
        missing=viewer.missing("create_webhook"),
        place="settings",
        section="notifications",
    )


@require_POST
@page
def webhook_act(viewer: Viewer, webhook_id: str, name: str) -> HttpResponse:
    """Enable, disable, try or delete a webhook; or give it another secret, which is shown once."""
    if name == "rotate":
        return _rotated(viewer, webhook_id)
    if name not in WEBHOOK_ACTS:
        raise Http404
    operation, done = WEBHOOK_ACTS[name]
    sent: dict[str, Any] = {} if name == "delete" else {"body": {}}
    outcome = viewer.call(operation, {"webhook_id": webhook_id}, **sent)
    if outcome.is_done:
        viewer.say(done, tone="good")
    else:
        viewer.say(outcome.body.get("detail") or outcome.body["title"], tone="bad")
    return viewer.leave(viewer.url("notifications"))


def _rotated(viewer: Viewer, webhook_id: str) -> HttpResponse:
    overlap = viewer.request.POST.get("overlap", "").strip()
    body = {"overlap": overlap} if overlap else {}
    outcome = viewer.call("rotate_webhook", {"webhook_id": webhook_id}, body=body)
    if not outcome.is_done:
        viewer.say(outcome.body.get("detail") or outcome.body["title"], tone="bad")
        return viewer.leave(viewer.url("notifications"))
    return viewer.render(
        "settings/webhook_secret.html",
        webhook=outcome.body["webhook"],
        secret=outcome.body["secret"],
        place="settings",
        section="notifications",
    )


@require_POST
@page
def measure(viewer: Viewer) -> HttpResponse:
    """Issue a canary key, have every node verify it, revoke it, and show when each node refused it."""
    outcome = viewer.call("create_probe", body={})
    return viewer.render(
        "settings/measured.html",
        200 if outcome.is_done else outcome.status,
        probe=outcome.body if outcome.is_done else None,
        problem=None if outcome.is_done else outcome.body,
        place="settings",
        section="nodes",
    )
