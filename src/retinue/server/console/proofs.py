"""What proves the audit log: how far it was looked at, *Verify now*, and the proof of one event."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from retinue.server.console.viewer import Trouble, Viewer, page


def standing(viewer: Viewer) -> dict[str, Any]:
    """Return the state of the log that is added to, and all that was found wrong."""
    found = viewer.get("get_audit_log")
    logs = found["logs"]
    last = logs[-1] if logs else {}
    trouble = [each for log in logs for each in log["trouble"]]
    return {**last, "state": found["state"], "behind": found["behind"], "trouble": trouble}


@require_POST
@page
def verify(viewer: Viewer) -> HttpResponse:
    """Have the server look at every row of the log."""
    outcome = viewer.call("verify_audit_log", body={})
    if not outcome.is_done:
        raise Trouble("verify_audit_log", outcome)
    is_well = outcome.body["state"] != "broken"
    viewer.say(
        _("The audit log is whole.") if is_well else _("The audit log is not what was signed."),
        tone="good" if is_well else "bad",
    )
    return viewer.leave(viewer.url("audit"))


@require_safe
@page
def of_event(viewer: Viewer, event_id: str) -> HttpResponse:
    """Show the proof of one event: what is hashed, and the way to what was signed."""
    outcome = viewer.call("get_audit_event_proof", {"event_id": event_id})
    if outcome.status == 409:
        viewer.say(_("This event will be in the log within a second."))
        return viewer.leave(viewer.url("audit"))
    if not outcome.is_done:
        raise Trouble("get_audit_event_proof", outcome)
    return viewer.render("audit_proof.html", proof=outcome.body, place="audit")
