"""What needs a person: each finding with its evidence, and the way to accept it until a day."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST, require_safe

from retinue.server.console import expiring, receipts
from retinue.server.console.borrowed import said
from retinue.server.console.listing import Filter, Listing
from retinue.server.console.viewer import Viewer, page
from retinue.server.governance import queries
from retinue.server.governance.rules import KINDS

FINDINGS = Listing(
    "list_findings",
    "findings.html",
    "findings",
    (
        Filter("kind", lazy("Kind"), {name: name for name in KINDS}),
        Filter("subject", lazy("About (id)"), placeholder="sa_…"),
        Filter("account", lazy("Account (id), with its credentials"), placeholder="sa_…"),
        Filter("state", lazy("State"), {"open": lazy("Open"), "accepted": lazy("Accepted")}),
    ),
)
#: Of one account so many are shown on its page.
FEW = "5"
TONES = {"high": "bad", "medium": "warn", "low": "info"}


def _told(item: dict[str, Any]) -> dict[str, Any]:
    evidence = [
        {"name": name, "value": ", ".join(map(str, value)) if isinstance(value, list) else value}
        for name, value in item["evidence"].items()
    ]
    return {
        **item,
        "tone": TONES.get(item["severity"], "info"),
        "severity": said(item["severity"]),
        "meaning": said(item["meaning"]),
        "evidence": evidence,
    }


@require_safe
@page
def listed(viewer: Viewer) -> HttpResponse:
    """Every finding, by its kind: those that are kept, and a word if some of them are being looked at."""
    queries.settle()
    return FINDINGS.show(viewer, told=_told, is_behind=queries.is_behind(viewer.organization.id))


@require_safe
@page
def of_account(viewer: Viewer, account_id: str) -> HttpResponse:
    """What is found about an account or its credentials: a part of its page, empty where nothing is."""
    queries.settle()
    outcome = viewer.call("list_findings", query={"account": account_id, "limit": FEW})
    found = [_told(each) for each in outcome.body.get("items", [])]
    is_behind = queries.is_behind(viewer.organization.id)
    return viewer.render(
        "parts/account_findings.html", findings=found, account_id=account_id, is_behind=is_behind
    )


@require_POST
@page
def accept(viewer: Viewer, finding_id: str) -> HttpResponse:
    """Accept a finding until a day, with a reason; or open it again."""
    sent = viewer.request.POST
    path = {"finding_id": finding_id}
    if sent.get("again"):
        outcome = viewer.call("reopen_finding", path, body={"reason": sent.get("reason", "")})
        told = _("The finding is open again.")
    else:
        until = expiring.sent("other", sent.get("until", ""))
        body = {"reason": sent.get("reason", "").strip(), "until": until}
        outcome = viewer.call("accept_finding", path, body=body)
        told = _("The finding is accepted until then.")
    receipts.say(viewer, outcome, told)
    return viewer.leave(viewer.url("findings_listed"))
