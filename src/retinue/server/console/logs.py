"""The request log and the audit log of the organization."""

from __future__ import annotations

from functools import partial

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_safe

from retinue.decision import Reason
from retinue.server.console import charting, events, proofs
from retinue.server.console.listing import Filter, Listing, changed
from retinue.server.console.viewer import Viewer, page
from retinue.server.ledger.catalogue import EVENTS

#: What the chart does not count: no index finds it.
UNCOUNTED = ("path", "status", "address", "node", "method", "permission", "client", "request_id")
REQUESTS = Listing(
    "list_requests",
    "requests.html",
    "requests",
    (
        Filter("decision", lazy("Decision"), {"allowed": lazy("Allowed"), "denied": lazy("Denied")}),
        Filter("reason", lazy("Reason"), {each.value: each.value for each in Reason}),
        Filter("account", lazy("Account"), placeholder="etl-airflow", kind="people"),
        Filter("credential", lazy("Credential"), placeholder="key_…"),
        Filter("path", lazy("Path"), placeholder="/reports"),
        Filter("status", lazy("Status"), placeholder="4xx"),
        Filter("address", lazy("Address"), placeholder="10.0.0.0/8"),
        Filter("node", lazy("Node"), placeholder="local"),
        Filter("method", lazy("Method"), placeholder="GET"),
        Filter("permission", lazy("Permission"), placeholder="report:read"),
        Filter("client", lazy("Client"), placeholder="python-httpx"),
        Filter("request_id", lazy("Request id"), placeholder="req_…"),
        Filter("since", lazy("Since (UTC)"), is_instant=True),
        Filter("until", lazy("Until (UTC)"), is_instant=True),
    ),
    shaped="requests",
)


def _families() -> dict[str, dict[str, object]]:
    """Return the types of events by family; a family of several can be meant as a whole."""
    found: dict[str, dict[str, object]] = {}
    for name in sorted(EVENTS):
        found.setdefault(name.partition(".")[0], {})[name] = name
    return {
        family: ({family: lazy("all of these")} if len(types) > 1 else {}) | types
        for family, types in found.items()
    }


FAMILIES = _families()
AUDIT = Listing(
    "list_audit_events",
    "audit.html",
    "audit",
    (
        Filter("type", lazy("Event"), FAMILIES),
        Filter("actor", lazy("By whom"), placeholder="grace@acme.example", kind="people"),
        Filter("account", lazy("About whom"), placeholder="etl-airflow", kind="people"),
        Filter("subject", lazy("About (id)"), placeholder="key_…"),
        Filter("since", lazy("Since (UTC)"), is_instant=True),
        Filter("until", lazy("Until (UTC)"), is_instant=True),
        Filter("without", lazy("Left out"), FAMILIES, kind="many"),
    ),
    shaped="audit-events",
)


@require_safe
@page
def requests(viewer: Viewer) -> HttpResponse:
    """What was decided: every request that nodes and the control plane have logged."""
    given = viewer.request.GET
    present = range_of(viewer)
    at = {"since": "", "until": ""}
    is_live = given.get("live") == "yes"
    return REQUESTS.show(
        viewer,
        query=since(viewer),
        beside={"range": present} if present else {},
        days=viewer.policy.request_log.retention_days,
        ranges=[
            {"name": name, "query": changed(given, **at, range=name), "is_present": name == present}
            for name in charting.RANGES
        ],
        live={"is_on": is_live, "query": changed(given, live="" if is_live else "yes")},
        now=timezone.now(),
        has_chart=not any(given.get(name) for name in UNCOUNTED),
    )


def range_of(viewer: Viewer) -> str:
    """Return how long back from now the page looks, if it says so and names no instants itself."""
    given = viewer.request.GET
    named = given.get("range", "")
    return named if named in charting.RANGES and not (given.get("since") or given.get("until")) else ""


def since(viewer: Viewer) -> dict[str, str]:
    """Return the filter that the page's range is; none for a page without."""
    named = range_of(viewer)
    return {"since": (timezone.now() - charting.RANGES[named]).isoformat()} if named else {}


@require_safe
@page
def audit(viewer: Viewer) -> HttpResponse:
    """What was changed, by whom, and from what to what."""
    return AUDIT.show(viewer, together=partial(events.told, viewer), log=proofs.standing(viewer))
