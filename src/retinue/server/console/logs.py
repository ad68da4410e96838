"""The request log and the audit log of the organization."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpResponse, QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_safe

from retinue.decision import Reason
from retinue.server.console import charting, events, proofs
from retinue.server.console.listing import Filter, Listing
from retinue.server.console.viewer import Viewer, page
from retinue.server.ledger.catalogue import EVENTS

_WHEN = "2026-03-10T00:00:00Z"
REQUESTS = Listing(
    "list_requests",
    "requests.html",
    "requests",
    (
        Filter("decision", lazy("Decision"), {"allowed": lazy("Allowed"), "denied": lazy("Denied")}),
        Filter("reason", lazy("Reason"), {each.value: each.value for each in Reason}),
        Filter("account", lazy("Account"), placeholder="etl-airflow"),
        Filter("credential", lazy("Key"), placeholder="key_…"),
        Filter("path", lazy("Path"), placeholder="/reports"),
        Filter("status", lazy("Status"), placeholder="4xx"),
        Filter("address", lazy("Address"), placeholder="10.0.0.0/8"),
        Filter("node", lazy("Node"), placeholder="local"),
        Filter("method", lazy("Method"), placeholder="GET"),
        Filter("request_id", lazy("Request id"), placeholder="req_…"),
        Filter("since", lazy("Since"), placeholder=_WHEN),
        Filter("until", lazy("Until"), placeholder=_WHEN),
    ),
    shaped="requests",
)
AUDIT = Listing(
    "list_audit_events",
    "audit.html",
    "audit",
    (
        Filter("type", lazy("Event"), {name: name for name in sorted(EVENTS)}),
        Filter("actor", lazy("By (id)"), placeholder="usr_…"),
        Filter("subject", lazy("About (id)"), placeholder="sa_…"),
        Filter("since", lazy("Since"), placeholder=_WHEN),
        Filter("until", lazy("Until"), placeholder=_WHEN),
    ),
    shaped="audit-events",
)


@require_safe
@page
def requests(viewer: Viewer) -> HttpResponse:
    """What was decided: every request that nodes and the control plane have logged."""
    given = viewer.request.GET
    present = given.get("range", charting.USUAL)
    is_live = given.get("live") == "yes"
    return REQUESTS.show(
        viewer,
        days=viewer.policy.request_log.retention_days,
        ranges=[
            {"name": name, "query": _with(given, range=name), "is_present": name == present}
            for name in charting.RANGES
        ],
        live={"is_on": is_live, "query": _with(given, live="" if is_live else "yes")},
        now=timezone.now(),
        has_chart=not any(given.get(name) for name in ("path", "status", "address", "node", "method")),
    )


def _with(given: QueryDict, **changed: str) -> str:
    """Return the query of the same page with something else; pages begin anew."""
    kept = {name: value for name, value in given.items() if value and name != "cursor"} | changed
    return "?" + urlencode({name: value for name, value in kept.items() if value})


@require_safe
@page
def audit(viewer: Viewer) -> HttpResponse:
    """What was changed, by whom, and from what to what."""
    return AUDIT.show(viewer, told=events.told, log=proofs.standing(viewer))
